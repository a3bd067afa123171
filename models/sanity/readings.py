"""Read a network on some images: features of the last layer before a classifier, and the range of every layer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.card import Card, LayerCard
from models.crops import trunk_square
from models.encoders.layers import LINEAR
from models.network import Network
from models.sanity.alternatives import Alternative
from models.sanity.report import LayerRange

BATCH = 32

Features = NDArray[np.float32]


@dataclass(frozen=True)
class NetworkReading:
    """The features (n, D) of some images, and the range of the values in each layer."""

    features: Features
    layers: tuple[LayerRange, ...]


def feature_layer(card: Card) -> LayerCard:
    """The last layer before a classifier: the last one that is read after an activation."""
    seen = [layer for layer in card.layers if layer.on_trunk]
    return next((layer for layer in reversed(seen) if layer.value != LINEAR), seen[-1])


def prepared(network: Network, way: Alternative) -> Network:
    """The same network, with images prepared in that way."""
    card = replace(network.card, preprocess=way.preprocess)
    return Network(card, network.encoder, network.head, str(network.device), network.dtype)


@torch.inference_mode()
def read_network(network: Network, images: Sequence[Tensor]) -> NetworkReading:
    """Features and value ranges for images (3, H, W) uint8.

    Values that are not finite count as zero in the features.
    """
    layers = [layer for layer in network.card.layers if layer.on_trunk]
    last, parts, ranges = feature_layer(network.card), [], [_LayerExtremes(layer) for layer in layers]
    for start in range(0, len(images), BATCH):
        squares = [trunk_square(image, network.card.preprocess)[0] for image in images[start : start + BATCH]]
        for same in _by_size(squares):
            with network.hooks([layer.name for layer in layers]) as seen:
                network.run_trunk(network.trunk_input(same))
            for one in ranges:
                one.add(seen[one.layer.name].float())
            values = seen[last.name].float()
            pooled = values.mean(dim=(2, 3)) if last.kind == "conv" else values
            parts.append(pooled.nan_to_num(0.0, 0.0, 0.0).cpu())
    return NetworkReading(torch.cat(parts).numpy(), tuple(one.done() for one in ranges))


def _by_size(squares: Sequence[Tensor]) -> list[Tensor]:
    """Squares of one size as one batch, others one by one: their order stays."""
    if len({square.shape[-1] for square in squares}) == 1:
        return [torch.stack(list(squares))]
    return [square[None] for square in squares]


class _LayerExtremes:
    """Running extremes of one layer's values."""

    def __init__(self, layer: LayerCard) -> None:
        self.layer = layer
        self.low: Tensor | None = None
        self.high: Tensor | None = None
        self.total, self.count, self.bad = 0.0, 0, 0

    def add(self, values: Tensor) -> None:
        """Values (B, U, h, w) or (B, U)."""
        finite = values.isfinite()
        self.bad += int((~finite).sum())
        values = values.where(finite, 0.0)
        units = values.movedim(1, 0).flatten(1)  # (B, U, ...) -> (U, B ...)
        low, high = units.amin(dim=1).cpu(), units.amax(dim=1).cpu()
        self.low = low if self.low is None else torch.minimum(self.low, low)
        self.high = high if self.high is None else torch.maximum(self.high, high)
        self.total += float(values.abs().sum(dtype=torch.float64))
        self.count += values.numel()

    def done(self) -> LayerRange:
        assert self.low is not None and self.high is not None
        still = (self.high - self.low) <= 0
        largest = float(torch.maximum(self.high.abs(), self.low.abs()).max())
        return LayerRange(
            self.layer.name, len(still), float(still.float().mean()), self.total / self.count, largest, self.bad
        )


def possible(network: Network, ways: Sequence[Alternative]) -> list[Alternative]:
    """The preparations that the network accepts: fully connected layers and positions are made for one size."""
    found: list[Alternative] = []
    for way in ways:
        side = way.preprocess.trunk_size or way.preprocess.size
        try:
            read_network(prepared(network, way), [torch.zeros(3, side, side, dtype=torch.uint8)])
        except (RuntimeError, ValueError, AssertionError):
            if not found:
                raise
            continue
        found.append(way)
    return found
