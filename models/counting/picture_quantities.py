"""Quantities of a picture that a count could follow without seeing any object: edge energy, mean intensity, contrast.

Edge energy is the sum over pixels of the gradient's magnitude. It adds up over tiles as a count does, and is therefore
reported beside every claim of counting: a quantity can be additive without counting objects. Free of torch.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.geometry import Box

Gray = NDArray[np.float32]  # (h, w), 0..1


def gray_of(jpeg: bytes) -> Gray:
    """The luma of a stored JPEG: (h, w) in 0..1, as its luminance plane holds it."""
    with Image.open(io.BytesIO(jpeg)) as image:
        image.draft("L", image.size)  # decodes the luminance alone
        return np.asarray(image.convert("L"), dtype=np.float32) / np.float32(255)


def edge_map(gray: Gray) -> Gray:
    """The gradient's magnitude at each pixel, (h, w): forward differences to the right and below.

    A difference belongs to the pixel it starts from, also where its other end lies in another tile; the last column has
    none to the right and the last row none below.
    """
    across, down = np.zeros_like(gray), np.zeros_like(gray)
    across[:, :-1] = np.diff(gray, axis=1)
    down[:-1] = np.diff(gray, axis=0)
    return np.asarray(np.hypot(across, down), dtype=np.float32)


def edge_energy(gray: Gray, box: Box | None = None) -> float:
    """The sum of `edge_map` over the picture, or over a box (x0, y0, x1, y1) of it; a cut pixel gives its share.

    Exactly additive: over boxes that tile the picture it sums to the picture's own, because neighbours are always those
    of the whole picture. A tile that is cut out first and measured alone misses the differences across its right and
    lower cut, and nothing else.
    """
    return _sum(edge_map(gray), box)


def mean_intensity(gray: Gray, box: Box | None = None) -> float:
    """The mean over the picture or a box of it, 0..1."""
    area = _sum(np.ones_like(gray), box)
    return _sum(gray, box) / area if area > 0 else 0.0


def contrast(gray: Gray, box: Box | None = None) -> float:
    """RMS contrast: the standard deviation over the picture or a box of it."""
    mean = mean_intensity(gray, box)
    return float(np.sqrt(mean_intensity(np.square(gray - mean), box)))


def _sum(values: Gray, box: Box | None) -> float:
    if box is None:
        return float(values.sum(dtype=np.float64))
    across, down = _cover(box[0], box[2], values.shape[1]), _cover(box[1], box[3], values.shape[0])
    return float(down @ values.astype(np.float64) @ across)


def _cover(start: float, stop: float, size: int) -> NDArray[np.float64]:
    """How much of each of `size` pixels in a row lies between start and stop."""
    pixels = np.arange(size)
    return np.asarray(np.clip(np.minimum(stop, pixels + 1) - np.maximum(start, pixels), 0.0, 1.0))
