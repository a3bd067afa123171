"""Descriptors as checkpoint folders: a card, and a weights file that holds none. Free of torch."""

import json
import os
from dataclasses import asdict
from pathlib import Path

from safetensors.numpy import save_file

from models.card import WEIGHTS, Card, file_sha256, write_card
from models.descriptors import DESCRIPTORS
from models.descriptors.base import Descriptor


def write(folder: Path, descriptor: Descriptor) -> Card:
    """The checkpoint folder of a descriptor; the settings are in the file's header, so that its hash tells them."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = json.dumps({"descriptor": descriptor.name, **asdict(descriptor.settings)}, sort_keys=True)
    save_file({}, folder / WEIGHTS, metadata={"settings": settings})
    with (folder / WEIGHTS).open("rb") as stream:
        os.fsync(stream.fileno())
    card = descriptor.card(file_sha256(folder / WEIGHTS))
    write_card(folder, card)
    return card


def descriptor_of(card: Card) -> Descriptor | None:
    """The descriptor that a card stands for; None for networks."""
    kind = DESCRIPTORS.get(card.architecture)
    if kind is None:
        return None
    made = kind()
    return kind(type(made.settings)(**card.encoder))  # type: ignore[call-arg]  # every descriptor takes its settings
