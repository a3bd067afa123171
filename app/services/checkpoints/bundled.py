"""Registers the checkpoints that need no training: bundled ones, the untrained network, and descriptors."""

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
TWIN = SAMPLES / "counting-photos" / CARD  # random init has the architecture and preprocessing of this sample
SEED = 0


def bundled_folders() -> list[Path]:
    """The folders of the checkpoints that come with the program, sorted by name."""
    return sorted(folder for folder in SAMPLES.iterdir() if (folder / CARD).exists()) if SAMPLES.exists() else []


def register_bundled(checkpoints: CheckpointsService) -> list[CheckpointRecord]:
    """Register every bundled checkpoint that is not registered yet; returns all of them."""
    return [checkpoints.register_folder(folder) for folder in bundled_folders()]


def ensure_random_init(checkpoints: CheckpointsService) -> CheckpointRecord:
    """The checkpoint `random-init`; it is drawn from its seed and registered where the workspace does not have it."""
    known = checkpoints.find(random_init.NAME)
    if known is not None:
        return known
    config, scale = twin()
    with tempfile.TemporaryDirectory(prefix="tessera-") as folder:
        random_init.write(Path(folder), config, seed=SEED, conv1_scale=scale)
        return checkpoints.register_folder(Path(folder))


def ensure_descriptor(checkpoints: CheckpointsService, name: str) -> CheckpointRecord:
    """The descriptor as a checkpoint of the workspace; it is registered where it was not yet."""
    known = checkpoints.find(name)
    if known is not None:
        return known
    with tempfile.TemporaryDirectory(prefix="tessera-") as folder:
        descriptor_files.write(Path(folder), DESCRIPTORS[name]())
        return checkpoints.register_folder(Path(folder))


def twin() -> tuple[CountingConfig, float]:
    """The settings of random init and the scale of its first layer: those of the bundled network, else of `small`."""
    return random_init.like(TWIN) or (RECIPES["small"], 1.0)
