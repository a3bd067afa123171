"""Rescale an encoder for fine-tuning, so that all layers change at one rate and the outputs stay as they are.

Krähenbühl, Doersch, Donahue, Darrell, "Data-dependent Initializations of Convolutional Neural Networks", ICLR 2016,
https://arxiv.org/abs/1511.06856; only its last step is done. In the released code each bias is scaled by the mean size
of its layer's input, which is measured anew in every round. In a chain of convolutions, ReLUs and poolings that size is
the product of the factors before, so biases are scaled by that product. In the tables of this field a dagger marks the
results of networks that were rescaled.
"""

import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from models.galleries.sources import Item
from models.samples.photos import SampleSource

ROUNDS = 10
SETTLED = 0.01  # a change of the factors below which no further round is made
Weighted = nn.Conv2d | nn.Linear
HOMOGENEOUS = (nn.ReLU, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Flatten)
NOTHING = (nn.Dropout, nn.Identity)


class CannotRescale(ValueError):
    """A part of the encoder does not pass on a factor of its input to its output; the message names it."""

    code = "cannot_rescale"


@dataclass(frozen=True)
class Rescaling:
    """RMS(gradient) / RMS(weight) of each layer before and after, its factor, and how many rounds it took."""

    before: Mapping[str, float]
    after: Mapping[str, float]
    factors: Mapping[str, float]
    rounds: int

    @property
    def spreads(self) -> tuple[float, float]:
        """Standard deviation of log10(ratio) over layers, before and after: 0 where all change at one rate."""
        return spread(self.before), spread(self.after)


def spread(ratios: Mapping[str, float]) -> float:
    """The standard deviation of log10(ratio) over the layers."""
    return float(np.std([math.log10(ratio) for ratio in ratios.values()]))


def layers(encoder: nn.Module) -> dict[str, Weighted]:
    """The layers with weights, in forward order. Raises CannotRescale for what is no chain of homogeneous parts."""
    found = dict(_chain(encoder))
    if len(found) < 2:
        raise CannotRescale("There are not two layers whose rates could be compared.")
    return found


def _chain(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, Weighted]]:
    for name, part in module.named_children() if isinstance(module, nn.Sequential) else [("", module)]:
        place = f"{prefix}{name}"
        if isinstance(part, nn.Sequential):
            yield from _chain(part, f"{place}.")
        elif isinstance(part, Weighted):
            yield place, part
        elif isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d):
            raise CannotRescale(f"{place} is batch normalisation, which undoes every factor of the layer before it.")
        elif not isinstance(part, HOMOGENEOUS + NOTHING):
            raise CannotRescale(f"{place or 'the network'} ({type(part).__name__}) does not pass a factor on.")


def ratios(encoder: nn.Module, pixels: Tensor, seed: int = 0) -> dict[str, float]:
    """RMS(gradient) / RMS(weight) of each layer's weights, for a random Gaussian gradient of the outputs.

    pixels (B, C, H, W), normalised. Raises CannotRescale where a layer gets no gradient or has no weights but zeros.
    """
    parts = layers(encoder)
    outputs: Tensor = encoder(pixels)
    top = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(seed)).to(outputs)
    gradients = torch.autograd.grad(outputs, [part.weight for part in parts.values()], top)
    found = {}
    for (name, part), gradient in zip(parts.items(), gradients, strict=True):
        found[name] = float(_rms(gradient) / _rms(part.weight)) if part.weight.any() else math.nan
        if not (math.isfinite(found[name]) and found[name] > 0):
            raise CannotRescale(f"{name} has no weights that these images could change.")
    return found


def rescale(encoder: nn.Module, pixels: Tensor, *, seed: int = 0) -> Rescaling:
    """Multiply the layers of `encoder`, in place, by the square roots of their ratios over their geometric mean.

    The factors' product is one and biases grow with what comes before them, so that the outputs stay as they are.
    """
    parts = layers(encoder)
    before = after = ratios(encoder, pixels, seed)
    factors, rounds = dict.fromkeys(parts, 1.0), 0
    while rounds < ROUNDS:
        target = math.exp(sum(math.log(ratio) for ratio in after.values()) / len(after))
        step = {name: math.sqrt(ratio / target) for name, ratio in after.items()}
        if max(abs(factor - 1) for factor in step.values()) < SETTLED:
            break
        so_far = 1.0
        with torch.no_grad():
            for name, part in parts.items():
                so_far *= step[name]
                factors[name] *= step[name]
                part.weight.mul_(step[name])
                if part.bias is not None:
                    part.bias.mul_(so_far)
        rounds += 1
        after = ratios(encoder, pixels, seed)
    return Rescaling(before, after, factors, rounds)


def photos(side: int) -> Tensor:
    """A crop of each sample photo at that size, (n, 3, side, side) uint8. Raises CannotRescale where there is none."""
    source, found = SampleSource(), {}
    for item in source.items():
        if isinstance(item, Item) and item.label not in found:
            picture = Image.open(io.BytesIO(source.load(item).data)).convert("RGB")
            found[item.label] = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
    if not found:
        raise CannotRescale("The installed scikit-image carries none of the photos that are shown to the network.")
    sized = [F.interpolate(photo[None].float(), size=(side, side), mode="area") for photo in found.values()]
    return torch.cat(sized).round().clamp(0, 255).to(torch.uint8)


def _rms(values: Tensor) -> Tensor:
    return values.detach().float().square().mean().sqrt()
