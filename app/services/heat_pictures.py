"""A unit's map as a picture to lay over its image: transparent where the unit is silent, red where it fires most."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.services.units import RowHeat

FAINT, STRONG = np.array([255.0, 214.0, 64.0]), np.array([214.0, 20.0, 20.0])
OPACITY = 0.78


def png(heat: RowHeat) -> bytes:
    """The map at its place in an image of the stored size, relative to the unit's largest value in the scan."""
    values = heat.heat.values.astype(np.float32)
    highest = max(heat.highest, float(values.max(initial=0.0)))
    level = _placed(heat, np.clip(values / highest, 0, 1) if highest > 0 else np.zeros_like(values))
    colour = FAINT + (STRONG - FAINT) * level[..., None]
    pixels = np.concatenate((colour, 255 * OPACITY * level[..., None] ** 0.7), axis=2)
    buffer = BytesIO()
    Image.fromarray(pixels.round().astype(np.uint8), "RGBA").save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _placed(heat: RowHeat, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values (h, w) over the image: each cell centred on its receptive field, blended between, 0 outside."""
    x0, y0, x1, y1 = heat.heat.crop
    canvas = np.zeros((heat.height, heat.width), dtype=np.float32)
    if heat.layer.kind != "conv":
        canvas[round(y0) : round(y1), round(x0) : round(x1)] = values[0, 0]
        return canvas
    scale = (x1 - x0) / heat.side
    stride, offset = scale * (heat.layer.stride or 1), scale * (heat.layer.offset or 0.0)
    rows, columns = values.shape
    padded = Image.fromarray(np.pad(values, 1, mode="edge"), "F")
    # Pillow asks which input point belongs to an output point; cell c of the map lies at c + 1.5 of the padded one.
    places = (1 / stride, 0.0, 1.5 - (x0 + offset) / stride, 0.0, 1 / stride, 1.5 - (y0 + offset) / stride)
    drawn = np.asarray(
        padded.transform((heat.width, heat.height), Image.Transform.AFFINE, places, Image.Resampling.BILINEAR)
    )
    top, left = y0 + offset - stride / 2, x0 + offset - stride / 2
    inside = np.s_[
        max(0, round(max(top, y0))) : round(min(top + rows * stride, y1)),
        max(0, round(max(left, x0))) : round(min(left + columns * stride, x1)),
    ]
    canvas[inside] = drawn[inside]
    return canvas
