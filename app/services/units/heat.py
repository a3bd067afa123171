"""A unit's map as a picture to lay over its image: transparent where the unit is silent, red where it fires most.

All images have one scale: from 0 to the unit's largest value in the whole scan. Each cell of the map is drawn as a
square as wide as the stride. The map is smoothed only on request, because smoothing invents values between cells.
"""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.services.units.service import RowHeat

FAINT, STRONG = np.array([255.0, 214.0, 64.0]), np.array([214.0, 20.0, 20.0])
OPACITY = 0.78


def png(heat: RowHeat, *, smooth: bool = False) -> bytes:
    """A transparent PNG of the stored image's size, with the map at the place that it belongs to."""
    values = heat.heat.values.astype(np.float32)
    level = np.clip(values / heat.highest, 0, 1) if heat.highest > 0 else np.zeros_like(values)
    placed = _placed(heat, level, smooth=smooth)
    colour = FAINT + (STRONG - FAINT) * placed[..., None]
    pixels = np.concatenate((colour, 255 * OPACITY * placed[..., None] ** 0.7), axis=2)
    buffer = BytesIO()
    Image.fromarray(pixels.round().astype(np.uint8), "RGBA").save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _placed(heat: RowHeat, values: NDArray[np.float32], *, smooth: bool) -> NDArray[np.float32]:
    """The values (h, w) over the image: each cell centred on its receptive field, 0 outside."""
    x0, y0, x1, y1 = heat.heat.crop
    canvas = np.zeros((heat.height, heat.width), dtype=np.float32)
    if heat.layer.kind != "conv":
        canvas[round(y0) : round(y1), round(x0) : round(x1)] = values[0, 0]
        return canvas
    scale = (x1 - x0) / heat.side
    stride, offset = scale * (heat.layer.stride or 1), scale * (heat.layer.offset or 0.0)
    rows, columns = values.shape
    padded = Image.fromarray(np.pad(values, 1, mode="edge"), "F")
    # Pillow wants the input point of each output point; the centre of cell c is at c + 1.5 in the padded map.
    places = (1 / stride, 0.0, 1.5 - (x0 + offset) / stride, 0.0, 1 / stride, 1.5 - (y0 + offset) / stride)
    between = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    drawn = np.asarray(padded.transform((heat.width, heat.height), Image.Transform.AFFINE, places, between))
    top, left = y0 + offset - stride / 2, x0 + offset - stride / 2
    inside = np.s_[
        max(0, round(max(top, y0))) : round(min(top + rows * stride, y1)),
        max(0, round(max(left, x0))) : round(min(left + columns * stride, x1)),
    ]
    canvas[inside] = drawn[inside]
    return canvas
