"""The checkpoints that are always at hand: bundled ones, the one that nobody trained, and those without weights."""

import tempfile
from pathlib import Path

from app.root import ROOT
from app.services.checkpoints.service import CheckpointRecord, CheckpointsService
from models import random_init
from models.card import CARD
from models.descriptors import DESCRIPTORS
from models.descriptors import files as descriptor_files
from models.recipes.counting import RECIPES, CountingConfig

SAMPLES = ROOT / "models" / "samples"
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


def ensure_descriptor(checkpoints: CheckpointsService, name: str) -> CheckpointRecord:
    """The descriptor as a checkpoint of the workspace, registered now where it is not yet."""
    known = checkpoints.find(name)
    if known is not None:
        return known
    with tempfile.TemporaryDirectory(prefix="tessera-") as folder:
        descriptor_files.write(Path(folder), DESCRIPTORS[name]())
        return checkpoints.register_folder(Path(folder))


def twin() -> tuple[CountingConfig, float]:
    """What random init is drawn like: the bundled network, else the preset for small machines."""
    return random_init.like(TWIN) or (RECIPES["small"], 1.0)
