"""The weights of a checkpoint with other preprocessing: another checkpoint, as if its file had been added so."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file

from models.card import CHANNELS, REPORT, WEIGHTS, Card, Preprocess, read_card, verify_weights, write_card
from models.checkpoints.storage import build_empty, write_weights
from models.encoders import layers
from models.foreign.convert import BadPreprocess, check


def reprepared(folder: Path, into: Path, preprocess: Preprocess, *, name: str) -> Card:
    """Write the checkpoint of `folder` into `into` with this preprocessing; the weights stay as they are.

    Raises BadPreprocess (also for networks with a head of ours, whose preprocessing is part of their task),
    NotACheckpoint, CheckpointChanged.
    """
    card = read_card(folder)
    verify_weights(folder, card)
    if card.head is not None or card.task is not None or card.filters_only:
        raise BadPreprocess("the preprocessing of this checkpoint is part of what it was trained on")
    side, channels = check(preprocess), CHANNELS[preprocess.colour]
    try:
        seen = layers(build_empty(card)[0], side=side, channels=channels)
    except (RuntimeError, ValueError) as error:
        raise BadPreprocess(f"{card.called} does not take images of {channels} x {side} x {side}") from error
    with safe_open(folder / WEIGHTS, framework="numpy") as file:
        settings = json.loads((file.metadata() or {}).get("tessera", "{}"))
    about = {"tessera": json.dumps(settings | {"preprocess": asdict(preprocess)}, sort_keys=True)}
    sha256 = write_weights(into, load_file(folder / WEIGHTS), about=about)
    made = replace(card, name=name, layers=seen, preprocess=preprocess, weights_sha256=sha256, measures={})
    if (folder / REPORT).exists():
        shutil.copyfile(folder / REPORT, into / REPORT)
    write_card(into, made)
    return made
