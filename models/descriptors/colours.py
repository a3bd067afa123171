"""A histogram of colours as an encoder: a control that a learned teacher should outdo.

Swain, Ballard, "Color Indexing", IJCV 1991: 16 hues, 4 saturations, 4 values. The values are square roots of the
shares, so that the Euclidean distance is Hellinger's.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.descriptors.base import Descriptor, Floats
from models.descriptors.square import open_square
from models.geometry import Box
from models.search.control_spaces import colour_shares


@dataclass(frozen=True, kw_only=True)
class ColourSettings:
    """Side of the square in pixels, and bins of hue, saturation and value."""

    side: int = 64
    hues: int = 16
    saturations: int = 4
    values: int = 4


class ColourHistogram(Descriptor):
    """Unit ((h * 4) + s) * 4 + v is the root of the share of pixels in that bin."""

    name: ClassVar[str] = "colour-histogram"
    title: ClassVar[str] = "Colour histogram"
    paper: ClassVar[str] = "Swain, Ballard, IJCV 1991"

    def __init__(self, settings: ColourSettings | None = None) -> None:
        self.settings: ColourSettings = settings or ColourSettings()
        self.side = self.settings.side

    @property
    def units(self) -> int:
        return self.settings.hues * self.settings.saturations * self.settings.values

    def describe(self, jpeg: bytes, box: Box | None = None) -> tuple[Floats, Box]:
        square, seen = open_square(jpeg, self.side, mode="HSV", box=box)
        how = self.settings
        shares = colour_shares(square.reshape(-1, 3), (how.hues, how.saturations, how.values))
        return np.sqrt(shares).astype(np.float32), seen
