"""First-layer filters drawn as pictures: gray is zero, on one common scale or each filter on its own.

One scale for all shows how strong a filter is; a scale for each shows its shape, and makes noise look like structure.
Both are symmetric about zero, so that gray means the same everywhere. Filters over Lab are drawn in false colours: L in
gray, a from green (negative) to magenta, b from blue to yellow; what a filter does not look at adds nothing.
"""

import io
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.card import Colour
from models.filters.measures import Filters

Scale = Literal["common", "own"]
Pixels = NDArray[np.uint8]
FALSE_COLOURS = np.array([[1, 1, 1], [0.8, -0.8, 0.8], [0.8, 0.8, -0.8]], dtype=np.float32)  # of L, a and b
COMMON_QUANTILE = 0.999  # a few extreme weights are clipped instead of turning all others gray


def common_limit(*layers: Filters) -> float:
    """The weight drawn as full intensity when all these layers share one scale."""
    values = np.abs(np.concatenate([layer[layer != 0] for layer in layers]))  # weights that a half does not have
    if not len(values):
        return 1e-12
    return max(float(np.quantile(values, COMMON_QUANTILE)), 1e-12)


def pixels(filters: Filters, scale: Scale, *, limit: float | None = None, colour: Colour = "rgb") -> Pixels:
    """(units, channels, h, w) -> (units, h, w, 3) uint8; channel counts other than 3 are drawn as their mean.

    `colour` is what the three channels are of.
    """
    if scale == "common":
        bound = np.float32(common_limit(filters) if limit is None else limit)
        shown = filters / bound
    else:
        shown = filters / np.maximum(np.abs(filters).max(axis=(1, 2, 3), keepdims=True), 1e-12)
    if shown.shape[1] != 3:
        shown = np.repeat(shown.mean(axis=1, keepdims=True), 3, axis=1)
    elif colour == "bgr":
        shown = shown[:, ::-1]
    elif colour == "lab":
        shown = np.einsum("uchw,ck->ukhw", shown, FALSE_COLOURS)
    bright = np.clip(np.rint(127.5 + 127.5 * shown), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(bright.transpose(0, 2, 3, 1))  # (U, 3, h, w) -> (U, h, w, 3)


def png(picture: Pixels) -> bytes:
    """An (h, w, 3) picture as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", optimize=False)
    return buffer.getvalue()


def grid(tiles: Pixels, *, order: Sequence[int] | None = None, columns: int | None = None, zoom: int = 4) -> Pixels:
    """The tiles (units, h, w, 3) in reading order on a white ground, each pixel drawn zoom x zoom, a gap between."""
    shown = tiles if order is None else tiles[list(order)]
    count, height, width = shown.shape[:3]
    across = columns or max(1, int(np.ceil(np.sqrt(count * 1.5))))
    down = -(-count // across)
    gap = max(1, zoom // 2)
    step_y, step_x = height * zoom + gap, width * zoom + gap
    canvas = np.full((down * step_y + gap, across * step_x + gap, 3), 255, dtype=np.uint8)
    for index, tile in enumerate(shown):
        top, left = gap + index // across * step_y, gap + index % across * step_x
        canvas[top : top + height * zoom, left : left + width * zoom] = tile.repeat(zoom, axis=0).repeat(zoom, axis=1)
    return canvas
