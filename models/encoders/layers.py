"""The layers of an encoder that can be looked at, in forward order: where each is read, and which pixels its cells see.

Convolutions and linear layers that follow each other (AlexNet, VGG, Network in Network) are read after the activation
that follows each; networks of blocks (residual, dense, mobile) at the outputs of their blocks; transformers at their
blocks, with the patches as a map, and at the class token after the last norm. A patch embedding and a last classifier
have no activation and are read as they are. Of very deep networks some blocks of every stage are listed, the last among
them.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.models import SwinTransformer
from torchvision.models import VisionTransformer as TorchvisionViT
from torchvision.models.convnext import LayerNorm2d

from models.card import LayerCard
from models.encoders.receptive_field import ReceptiveField, known_fields
from models.encoders.vit import VisionTransformer

MOST = 20  # blocks of one network
_PLAIN = (nn.Sequential, nn.ModuleList)
_BETWEEN = (nn.BatchNorm1d, nn.BatchNorm2d, LayerNorm2d)
_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish)
_WORDS = {"ReLU6": "ReLU", "Hardswish": "hard swish", "SiLU": "SiLU"}
BLOCK, LINEAR = "output of the block", "as it is, without an activation"
CLASS_TOKEN, PATCHES = "class token after the last norm", "patch tokens after the block"


@dataclass(frozen=True)
class Read:
    """The module at which a layer is read; `block` is the group of blocks that may be thinned out."""

    name: str
    module: str
    value: str
    layout: Literal["plain", "tokens", "channels_last"] = "plain"
    tokens: int = 0
    vector: bool = False
    block: str | None = None


def layers(encoder: nn.Module, *, side: int | None = None, channels: int = 3) -> tuple[LayerCard, ...]:
    """The layers of an encoder in forward order.

    With `side` an empty image of that size is sent through, and only layers that it reaches are listed: fully connected
    ones need the size that they were made for. Without `side` only chains of modules are supported.
    """
    reads = _thinned(list(_outline(encoder)))
    places = known_fields(encoder, [read.module for read in reads])
    shapes = _known_shapes(encoder, reads) if side is None else _shapes(encoder, reads, side, channels)
    return tuple(_card(read, shapes[read.name], places, side) for read in reads if read.name in shapes)


def _card(
    read: Read, shape: Sequence[int], places: Mapping[str, tuple[ReceptiveField, bool]], side: int | None
) -> LayerCard:
    if read.vector or len(shape) < 3:
        return LayerCard(read.name, shape[-1], "fc", read.module, layout=read.layout, path="trunk", value=read.value)
    field, exact = places[read.module]
    units = shape[1] if read.layout == "plain" else shape[-1]
    stride, offset = field.stride, field.offset
    if not exact and side is not None:
        cells = {"plain": shape[-1], "channels_last": shape[1], "tokens": math.isqrt(shape[1])}[read.layout]
        stride = max(1, round(side / cells))
        offset = stride / 2
    return LayerCard(
        name=read.name,
        units=units,
        kind="conv",
        module=read.module,
        stride=stride,
        receptive_field=field.receptive_field if exact else None,
        offset=offset,
        layout=read.layout,
        tokens=read.tokens,
        value=read.value,
    )


def _outline(encoder: nn.Module) -> Iterator[Read]:
    """All layers in forward order."""
    match encoder:
        case VisionTransformer():
            yield Read("patch_embed.proj", "patch_embed.proj", LINEAR)
            for place in range(len(encoder.blocks)):
                yield _tokens(f"blocks.{place}", encoder.extra_tokens)
            last = "fc_norm" if encoder.mean_norm else "norm"
            layout: Literal["plain", "tokens"] = "plain" if encoder.mean_norm else "tokens"
            yield Read(
                last,
                last,
                "mean of the patches after the last norm" if encoder.mean_norm else CLASS_TOKEN,
                layout,
                vector=True,
            )
            if isinstance(encoder.head, nn.Linear):
                yield Read("head", "head", LINEAR)
        case TorchvisionViT():
            yield Read("conv_proj", "conv_proj", LINEAR)
            for name, _ in encoder.encoder.layers.named_children():
                yield _tokens(f"encoder.layers.{name}", 1)
            yield Read("encoder.ln", "encoder.ln", CLASS_TOKEN, "tokens", vector=True)
            if not isinstance(encoder.heads, nn.Identity):
                yield Read("heads.head", "heads.head", LINEAR)
        case _:
            yield from _followed(encoder)


def _tokens(name: str, extra: int) -> Read:
    return Read(name, name, PATCHES, "tokens", extra, block=name.rpartition(".")[0])


def _followed(encoder: nn.Module) -> Iterator[Read]:
    """Networks of modules and blocks that follow each other."""
    parts = list(_parts("", encoder))
    first = True
    for place, (name, module) in enumerate(parts):
        if isinstance(module, nn.Conv2d | nn.Linear):
            yield _activated(name, parts[place + 1 :])
            first = False
        elif list(module.children()):
            layout: Literal["plain", "channels_last"] = (
                "channels_last" if isinstance(encoder, SwinTransformer) else "plain"
            )
            filters = next((below for below, part in module.named_modules() if isinstance(part, nn.Conv2d)), None)
            shown = f"{name}.{filters}" if first and filters else name
            yield Read(shown, name, BLOCK, layout, block=None if first else name.rpartition(".")[0])
            first = False


def _parts(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Leaves and blocks in order, without the fixed filters that come first in some."""
    for short, child in module.named_children():
        full = f"{name}.{short}" if name else short
        if short == "sobel" or (short.startswith("aux") and not name):
            continue
        if type(child) in _PLAIN or short == "features":
            yield from _parts(full, child)
        else:
            yield full, child


def _activated(name: str, after: Sequence[tuple[str, nn.Module]]) -> Read:
    """Read at the activation that follows, past normalisation."""
    for follower, module in after:
        if isinstance(module, _ACTIVATIONS):
            kind = type(module).__name__
            return Read(name, follower, f"after its {_WORDS.get(kind, kind)}")
        if not isinstance(module, _BETWEEN):
            break
    return Read(name, name, LINEAR)


def _thinned(reads: list[Read]) -> list[Read]:
    """At most about twenty blocks: some of every stage, evenly, with its last."""
    stages: dict[str, list[str]] = defaultdict(list)
    for read in reads:
        if read.block is not None:
            stages[read.block].append(read.name)
    total = sum(len(stage) for stage in stages.values())
    if total <= MOST:
        return reads
    kept = set()
    for stage in stages.values():
        wanted = max(1, len(stage) * MOST // total)
        kept |= {stage[-1 - number * len(stage) // wanted] for number in range(wanted)}
    return [read for read in reads if read.block is None or read.name in kept]


def _known_shapes(encoder: nn.Module, reads: Sequence[Read]) -> dict[str, tuple[int, ...]]:
    """(1, units, 1, 1) of convolutions, (1, units) of linear layers, without running anything."""
    found: dict[str, tuple[int, ...]] = {}
    for read in reads:
        module = encoder.get_submodule(read.name)
        if isinstance(module, nn.Conv2d):
            found[read.name] = (1, module.out_channels, 1, 1)
        elif isinstance(module, nn.Linear):
            found[read.name] = (1, module.out_features)
    return found


def _shapes(encoder: nn.Module, reads: Sequence[Read], side: int, channels: int) -> dict[str, tuple[int, ...]]:
    """What an empty image of that size gives at the modules that it reaches."""
    found: dict[str, tuple[int, ...]] = {}
    handles = []
    for read in reads:

        def keep(_module: nn.Module, _args: object, output: Tensor, name: str = read.name) -> None:
            found[name] = tuple(output.shape)

        handles.append(encoder.get_submodule(read.module).register_forward_hook(keep))
    try:
        weight = next(encoder.parameters())
        with torch.no_grad():
            encoder.eval()(torch.zeros(1, channels, side, side, device=weight.device, dtype=weight.dtype))
    finally:
        for handle in handles:
            handle.remove()
    return found
