"""The geometry of a scan: the square that the trunk saw, the count path's crop, and the pixels that a cell sees."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.card import LayerCard
from models.geometry import Box, trunk_box

Region = tuple[float, float, float, float]
"""Left, top, right, bottom of a part of a receptive field, in input pixels from its centre."""


@dataclass(frozen=True)
class Trunk:
    """How the conv path saw an image: its central square at native size, or the middle `size` pixels of it.

    A square smaller than that, or than `smallest`, was enlarged. `reach` gives, by layer and by the side of the input,
    one past the last pixel that any cell sees. With `resize` the `size` pixels are the middle of a square that was
    brought to `resize` pixels.
    """

    size: int | None
    smallest: int
    reach: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    resize: int | None = None

    def box(self, width: int, height: int) -> Box:
        """The square of a (width, height) image that became the network's input."""
        return trunk_box(width, height, size=self.size, resize=self.resize)

    def side(self, width: int, height: int) -> int:
        """Side of the network's input for a (width, height) image."""
        return self.size or max(min(width, height), self.smallest)


@dataclass(frozen=True)
class CountPath:
    """How the count path saw an image: `crop` pixels of its central `region`, brought to `size` by `kernel`."""

    crop: int
    region: int
    size: int
    kernel: str


def receptive_box(
    layer: LayerCard, y: int, x: int, *, width: int, height: int, trunk: Trunk, region: Region | None = None
) -> Box:
    """The pixels of a (width, height) image that cell (y, x) of a conv layer sees, exactly; or this region of them.

    For a layer whose cells see everything it is the whole input. Padding is not part of the image: the box ends where
    the network's input ends.
    """
    if layer.receptive_field is None:
        return trunk.box(width, height)
    stride, offset = layer.stride or 1, layer.offset or 0.0
    left, top, right, _ = trunk.box(width, height)
    side = trunk.side(width, height)
    scale = (right - left) / side
    end = trunk.reach.get(layer.name, {}).get(str(side), side)
    half = layer.receptive_field / 2
    before_x, before_y, after_x, after_y = region or (-half, -half, half, half)

    def span(cell: int, start: float, before: float, after: float) -> tuple[float, float]:
        centre = offset + cell * stride
        return start + scale * max(0.0, centre + before), start + scale * min(end, centre + after)

    (x0, x1), (y0, y1) = span(x, left, before_x, after_x), span(y, top, before_y, after_y)
    return (x0, y0, x1, y1)
