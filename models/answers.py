"""What a network answers about one image, as plain arrays, so that a process without torch can read them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.geometry import Box

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

TILES = ("top left", "top right", "bottom left", "bottom right")


@dataclass(frozen=True)
class Inputs:
    """The five inputs that were counted, D(x) and the tiles in the order of TILES, (5, s, s, 3) on the crop's scale.

    `mean` and `contrast` (standard deviation) are those of the crop, over all its pixels and channels, in 0..1;
    normalisation divides by `divisor` (never by less than a grey level). All five are shown as
    `normalised * divisor + mean`, so that they share one scale.
    """

    pixels: Bytes
    mean: float
    contrast: float
    divisor: float


@dataclass(frozen=True)
class CountAnswer:
    """The counting equation of one crop: phi(Dx) against the sum of phi over its four tiles."""

    whole: Floats  # (K,)
    tiles: Floats  # (4, K), in the order of TILES
    crop: Box  # pixels of the image that was given
    enlarged: bool  # the crop had fewer pixels than the network's geometry asks for
    inputs: Inputs

    @property
    def total(self) -> Floats:
        """What the four tiles count together, (K,)."""
        return np.asarray(self.tiles.sum(axis=0), dtype=np.float32)

    @property
    def per_unit(self) -> Floats:
        """phi(Dx) minus the sum, unit by unit, (K,)."""
        return self.whole - self.total

    @property
    def squared(self) -> float:
        """|phi(Dx) - sum|^2, the first term of the loss."""
        return float(np.square(self.per_unit, dtype=np.float64).sum())

    @property
    def relative(self) -> float | None:
        """The squared residual over |phi(Dx)|^2; None where the whole counts nothing."""
        norm = float(np.square(self.whole, dtype=np.float64).sum())
        return self.squared / norm if norm > 0 else None


@dataclass(frozen=True)
class EmbedAnswer:
    """The pooled vector of one layer, (D,), and the part of the image it was computed from."""

    vector: Floats
    crop: Box
    enlarged: bool


@dataclass(frozen=True)
class HeatMap:
    """One unit's map after its ReLU, (h, w), and the part of the image that the map covers."""

    values: Floats
    crop: Box


@dataclass(frozen=True)
class CurvePoint:
    """What a nested, centred crop counts: its share of the area, and the L1 and L2 norm of phi."""

    area: float
    total: float
    norm: float
    box: Box
