"""`random-init`: an untrained checkpoint, made from a seed wherever it is needed. Free of torch.

Every trained network should do better than an untrained one, so one is always there, and no file of the repository
holds it. Weights are drawn by NumPy's PCG64, a stream a tensor, in the way of models/encoders/initialisation.py: He,
Zhang, Ren, Sun, "Delving Deep into Rectifiers", ICCV 2015, https://arxiv.org/abs/1502.01852.
"""

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from models.card import WEIGHTS, Card, LayerCard, Preprocess, file_sha256, write_card
from models.recipes.counting import CountingConfig

NAME = "random-init"
WIDTHS = (96, 256, 384, 384, 256)
KERNELS = (11, 5, 3, 3, 3)
POOLED = (1, 2, 5)  # max-pooling follows these convolutions
KEPT = ("crop", "region", "stride", "hidden", "units", "margin", "normalise", "conv1_std", "head_init")


def write(folder: Path, config: CountingConfig, *, seed: int = 0, conv1_scale: float = 1.0) -> Card:
    """Draw the network of a configuration into `folder`: weights in fp16 and a card. The same seed, the same bytes.

    `conv1_scale` is what a training found that begins at a given norm of the counts (`start_norm`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = dict(_tensors(config, seed, conv1_scale))
    save_file(tensors, folder / WEIGHTS)
    with (folder / WEIGHTS).open("rb") as stream:
        os.fsync(stream.fileno())
    card = describe(config, seed=seed, conv1_scale=conv1_scale, weights_sha256=file_sha256(folder / WEIGHTS))
    write_card(folder, card)
    return card


def describe(config: CountingConfig, *, seed: int, conv1_scale: float, weights_sha256: str) -> Card:
    """The card of the network before any training."""
    head = {"features": _features(config), "hidden": config.hidden, "units": config.units}
    kept = {name: getattr(config, name) for name in KEPT if hasattr(config, name)}
    return Card(
        name=NAME,
        architecture="alexnet",
        encoder={"stride": config.stride},
        head=head,
        task="counting",
        recipe=None,
        config=kept,
        layers=(*_trunk_layers(config.stride), *_head_layers(config)),
        preprocess=Preprocess(
            config.crop, config.region, config.size, None, "per_crop" if config.normalise == "crop" else "per_input"
        ),
        weights_sha256=weights_sha256,
        dtype="fp16",
        provenance={
            "seed": seed,
            "conv1_scale": conv1_scale,
            "steps": 0,
            "images_trained": 0,
            "drawn_by": "NumPy, PCG64",
        },
    )


def like(card: Path | None) -> tuple[CountingConfig, float] | None:
    """The configuration and conv1's scale of a card that was trained, so that random init is its twin; else None."""
    try:
        found: dict[str, Any] = json.loads(card.read_text()) if card is not None else {}
    except (OSError, ValueError):
        return None
    if found.get("task") != "counting" or found.get("architecture") != "alexnet":
        return None
    known = {name: value for name, value in found.get("config", {}).items() if name in CountingConfig.__annotations__}
    return CountingConfig(**known), float(found.get("provenance", {}).get("conv1_scale", 1.0))


def _tensors(config: CountingConfig, seed: int, conv1_scale: float) -> Iterator[tuple[str, NDArray[np.float16]]]:
    """Names and values as `models.checkpoints.storage.save_weights` keeps them."""
    channels = (3, *WIDTHS)
    for place, (kernel, width) in enumerate(zip(KERNELS, WIDTHS, strict=True)):
        fan_in = channels[place] * kernel**2
        std = config.conv1_std if place == 0 and config.conv1_std else math.sqrt(2 / fan_in)
        scale = std * conv1_scale if place == 0 else std
        name = f"encoder.conv{place + 1}"
        yield f"{name}.weight", _normal((width, channels[place], kernel, kernel), scale, seed, place)
        yield f"{name}.bias", np.zeros(width, np.float16)
    sizes = (_features(config), config.hidden, config.hidden, config.units)
    for place, name in enumerate(("fc6", "fc7", "counts")):
        fan_in, width, stream = sizes[place], sizes[place + 1], 10 + 2 * place
        if getattr(config, "head_init", "he") == "uniform":  # PyTorch's own: biases are drawn too
            bound = fan_in**-0.5
            yield f"head.{name}.weight", _uniform((width, fan_in), bound, seed, stream)
            yield f"head.{name}.bias", _uniform((width,), bound, seed, stream + 1)
        else:
            yield f"head.{name}.weight", _normal((width, fan_in), math.sqrt(2 / fan_in), seed, stream)
            yield f"head.{name}.bias", np.zeros(width, np.float16)


def _normal(shape: tuple[int, ...], std: float, seed: int, stream: int) -> NDArray[np.float16]:
    drawn = np.random.default_rng([seed, stream]).standard_normal(shape, dtype=np.float32)
    return (drawn * np.float32(std)).astype(np.float16)


def _uniform(shape: tuple[int, ...], bound: float, seed: int, stream: int) -> NDArray[np.float16]:
    drawn = np.random.default_rng([seed, stream]).random(shape, dtype=np.float32)
    return ((2 * drawn - 1) * np.float32(bound)).astype(np.float16)


def _features(config: CountingConfig) -> int:
    """Values of conv5 after pooling for the network's input, rounding up as models/encoders/alexnet.py does."""
    side = (config.size - KERNELS[0]) // config.stride + 1
    for _ in POOLED:
        side = max(math.ceil((side - 3) / 2) + 1, 1)
    return WIDTHS[-1] * side**2


def _trunk_layers(stride: int) -> Iterator[LayerCard]:
    step, field, offset = stride, KERNELS[0], KERNELS[0] / 2
    for place, (kernel, width) in enumerate(zip(KERNELS, WIDTHS, strict=True), start=1):
        if place > 1:
            field += (kernel - 1) * step  # padding keeps the centres where they are
        name = f"conv{place}"
        yield LayerCard(name, width, "conv", f"relu{place}", stride=step, receptive_field=field, offset=offset)
        if place in POOLED:
            field, offset, step = field + 2 * step, offset + step, 2 * step


def _head_layers(config: CountingConfig) -> tuple[LayerCard, ...]:
    return (
        LayerCard("fc6", config.hidden, "fc", "relu6"),
        LayerCard("fc7", config.hidden, "fc", "relu7"),
        LayerCard("counts", config.units, "counts", "relu8"),
    )
