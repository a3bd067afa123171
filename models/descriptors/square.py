"""The central square of a stored JPEG at a given side, by Pillow."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.geometry import Box, central_square, clip_box


def open_square(jpeg: bytes, side: int, *, mode: str, box: Box | None = None) -> tuple[NDArray[np.uint8], Box]:
    """Pixels (side, side) or (side, side, 3) of the image's central square, or of a box's; and that square.

    Raises ValueError where the box lies outside the image.
    """
    with Image.open(io.BytesIO(jpeg)) as image:
        left, top, width, height = 0.0, 0.0, float(image.width), float(image.height)
        if box is not None:
            left, top, right, bottom = clip_box(box, image.width, image.height)
            width, height = right - left, bottom - top
        x0, y0, x1, y1 = central_square(max(int(width), 1), max(int(height), 1))
        square = (x0 + left, y0 + top, x1 + left, y1 + top)
        picture = image.convert(mode).resize((side, side), Image.Resampling.BILINEAR, box=square)
    return np.asarray(picture), square
