"""Save and load checkpoints: a folder with weights, a card, the filters of step 0 and a reference."""

import io
import os
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from models.atomic import write_bytes
from models.card import REFERENCE, STEP0, WEIGHTS, Card, Floats, Reference, file_sha256, read_card, verify_weights
from models.encoders import ENCODERS, layers
from models.network import Network
from models.tasks.base import Task
from models.tasks.heads import CountingHead

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def describe(task: Task, *, name: str, recipe: str | None, config: dict[str, object]) -> Card:
    """The card of a task's network, before there are weights on disk."""
    trunk = layers(task.encoder)
    return Card(
        name=name,
        task=task.name,
        recipe=recipe,
        config=config,
        layers=(*trunk, *task.head_layers()),
        preprocess=task.preprocess(),
        weights_sha256="",
        dtype="fp32",
        **task.architecture(),
    )


def save_weights(folder: Path, encoder: nn.Module, head: nn.Module | None, *, dtype: str = "fp16") -> str:
    """Write the weights as safetensors and return their sha256."""
    modules = {"encoder": encoder, "head": head}
    tensors = {
        f"{part}.{key}": value.detach().to("cpu", DTYPES[dtype]).contiguous()
        for part, module in modules.items()
        if module is not None
        for key, value in module.state_dict().items()
    }
    path, temporary = folder / WEIGHTS, folder / f".{WEIGHTS}.tmp"
    save_file(tensors, temporary)
    with temporary.open("rb") as stream:
        os.fsync(stream.fileno())
    temporary.replace(path)
    return file_sha256(path)


def build(card: Card) -> tuple[nn.Module, nn.Module | None]:
    """Encoder and head of a card, untrained."""
    if card.architecture not in ENCODERS:
        raise ValueError(f"unknown architecture {card.architecture!r}; there are: {', '.join(ENCODERS)}")
    head = CountingHead(**card.head) if card.head is not None else None
    return ENCODERS[card.architecture](**card.encoder), head


def load(folder: Path, *, device: str = "cpu", precision: str = "fp32") -> Network:
    """The network in `folder`, strictly: every tensor in its place.

    Raises NotACheckpoint, CheckpointChanged, and RuntimeError where tensors and card disagree.
    """
    card = read_card(folder)
    verify_weights(folder, card)
    with torch.device("meta"):
        encoder, head = build(card)
    tensors = load_file(folder / WEIGHTS)
    for prefix, module in (("encoder.", encoder), ("head.", head)):
        if module is not None:
            own = {key.removeprefix(prefix): value.float() for key, value in tensors.items() if key.startswith(prefix)}
            module.load_state_dict(own, strict=True, assign=True)
    return Network(card, encoder, head, device, DTYPES[precision])


def write_reference(folder: Path, reference: Reference) -> None:
    """Keep held-out count vectors, compressed: most counts are zero."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, whole=reference.whole, total=reference.total)
    write_bytes(folder / REFERENCE, buffer.getvalue())


def write_step0(folder: Path, filters: Floats) -> None:
    """Keep conv1 as it was before training, to be seen beside what it became."""
    buffer = io.BytesIO()
    np.save(buffer, filters, allow_pickle=False)
    write_bytes(folder / STEP0, buffer.getvalue())
