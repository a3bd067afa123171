"""The checkpoints that are always at hand: those that come with the program, and the one that nobody trained."""

import tempfile
from pathlib import Path

from app.services.checkpoints import CheckpointRecord, CheckpointsService
from models import random_init
from models.card import CARD
from models.recipes.counting import RECIPES, CountingConfig

SAMPLES = Path(__file__).resolve().parents[2] / "models" / "samples"
TWIN = SAMPLES / "counting-photos" / CARD  # random init has the geometry of the sample that is looked at most
SEED = 0


def bundled_folders() -> list[Path]:
    """The folders of checkpoints that come with the program, by name."""
    return sorted(folder for folder in SAMPLES.iterdir() if (folder / CARD).exists()) if SAMPLES.exists() else []


def register_bundled(checkpoints: CheckpointsService) -> list[CheckpointRecord]:
    """Register every bundled checkpoint; those that are known stay as they are."""
    return [checkpoints.register_folder(folder) for folder in bundled_folders()]


def ensure_random_init(checkpoints: CheckpointsService) -> CheckpointRecord:
    """Register `random-init`, drawn from its seed, where the workspace does not have it yet."""
    known = checkpoints.find(random_init.NAME)
    if known is not None:
        return known
    config, scale = twin()
    with tempfile.TemporaryDirectory(prefix="tessera-") as folder:
        random_init.write(Path(folder), config, seed=SEED, conv1_scale=scale)
        return checkpoints.register_folder(Path(folder))


def twin() -> tuple[CountingConfig, float]:
    """What random init is drawn like: the bundled network, else the preset for small machines."""
    return random_init.like(TWIN) or (RECIPES["small"], 1.0)
