"""Save and load checkpoints: a folder with weights, a card, the filters of step 0 and a reference."""

import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.atomic import write_bytes
from models.card import REFERENCE, STEP0, WEIGHTS, Card, Floats, Reference, file_sha256, read_card, verify_weights
from models.encoders import ENCODERS, layers
from models.network import Network
from models.recipes import read_config
from models.seeds import generator
from models.tasks import TASKS
from models.tasks.base import Task
from models.tasks.heads import CountingHead
from models.training import snapshots

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
        f"{part}.{key}": value.detach().to("cpu", _kept(key, value, DTYPES[dtype])).contiguous()
        for part, module in modules.items()
        if module is not None
        for key, value in module.state_dict().items()
    }
    return write_weights(folder, tensors)


def write_weights(folder: Path, tensors: Mapping[str, Tensor], *, about: Mapping[str, str] | None = None) -> str:
    """Write tensors with notes in the file's header, wholly or not at all, and return the file's sha256."""
    path, temporary = folder / WEIGHTS, folder / f".{WEIGHTS}.tmp"
    save_file(dict(tensors), temporary, metadata=dict(about) if about else None)
    with temporary.open("rb") as stream:
        os.fsync(stream.fileno())
    temporary.replace(path)
    return file_sha256(path)


class Snapshots:
    """Keeps an encoder in `folder` at log-spaced steps of a run of `total`; a resumed run writes the same again."""

    def __init__(self, encoder: nn.Module, folder: Path, total: int) -> None:
        self.encoder, self.folder, self.steps = encoder, folder, frozenset(snapshots.steps_to_keep(total))

    def after(self, step: int) -> None:
        """Keep the encoder if this is a step to do so."""
        if step in self.steps:
            state = self.encoder.state_dict().items()
            tensors = {key: value.detach().to("cpu", _kept(key, value, torch.float16)) for key, value in state}
            snapshots.write(self.folder, step, {key: value.contiguous().numpy() for key, value in tensors.items()})


def encoder_at(folder: Path, card: Card, step: int) -> nn.Module:
    """The encoder of a checkpoint as it was after `step` steps. Raises OSError where that was not kept."""
    encoder, _ = build(card)
    tensors = load_file(snapshots.path(folder, step))
    encoder.load_state_dict({key: _whole(value) for key, value in tensors.items()}, strict=True)
    return encoder


def _kept(key: str, value: Tensor, dtype: torch.dtype) -> torch.dtype:
    """Running statistics may not fit half precision, and counters are whole numbers: both stay as they are."""
    return value.dtype if "running_" in key or not value.is_floating_point() else dtype


def load_task(folder: Path, *, device: str = "cpu") -> Task:
    """The task of the checkpoint in `folder` with encoder and head, in evaluation mode and fp32.

    Raises NotACheckpoint, CheckpointChanged, RuntimeError as `load` does, and ValueError where its task is not known.
    """
    card = read_card(folder)
    verify_weights(folder, card)
    if card.task not in TASKS:
        raise ValueError(f"{card.name} was trained on a task that is not known here")
    task = TASKS[card.task].build(read_config(card.task, card.config), torch.Generator())
    tensors = load_file(folder / WEIGHTS)
    for prefix, module in (("encoder.", task.encoder), ("head.", task.head)):
        own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        module.load_state_dict({key: _whole(value) for key, value in own.items()}, strict=True)
    task.names = tuple(card.provenance.get("classes") or ())
    task.majority = card.provenance.get("majority")
    return task.to(device).eval()


def _whole(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value


def build(card: Card) -> tuple[nn.Module, nn.Module | None]:
    """Encoder and head of a card, untrained."""
    if card.architecture not in ENCODERS:
        raise ValueError(f"unknown architecture {card.architecture!r}; there are: {', '.join(ENCODERS)}")
    head = CountingHead(**card.head) if card.head is not None else None
    return ENCODERS[card.architecture](**card.encoder), head


def build_empty(card: Card) -> tuple[nn.Module, nn.Module | None]:
    """The same without memory for the weights, where the architecture can be built so."""
    try:
        with torch.device("meta"):
            return build(card)
    except NotImplementedError:  # some of torchvision's compute with tensors while they build
        return build(card)


def load(folder: Path, *, device: str = "cpu", precision: str = "fp32") -> Network:
    """The network in `folder`, strictly: every tensor in its place.

    Raises NotACheckpoint, CheckpointChanged, and RuntimeError where tensors and card disagree.
    """
    card = read_card(folder)
    verify_weights(folder, card)
    encoder, head = build_empty(card)
    tensors = load_file(folder / WEIGHTS)
    for prefix, module in (("encoder.", encoder), ("head.", head)):
        if module is not None:
            own = {key.removeprefix(prefix): _whole(value) for key, value in tensors.items() if key.startswith(prefix)}
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


def untrained(card: Card, device: str) -> Network:
    """A checkpoint's network before its first step, drawn again from the seed on its card.

    Raises ValueError for a card that names no task of ours.
    """
    if card.task not in TASKS:
        raise ValueError(f"{card.name} was trained on a task that is not known here, so its start cannot be drawn")
    config = read_config(card.task, card.config)
    task = TASKS[card.task].build(config, generator(int(card.provenance.get("seed", 0)), 0, 0))
    task.begin_like(card.provenance)
    return Network(card, task.encoder, task.head, device, torch.float32)
