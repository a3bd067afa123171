"""Spaces without a network, as controls for learned ones: raw pixels and a histogram of colours. Free of torch."""

import io
from collections.abc import Iterable
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.geometry import Box, clip_box

ControlSpace = Literal["pixels", "colours"]
CONTROL_SPACES: Final[tuple[ControlSpace, ...]] = ("pixels", "colours")

_SIDE: Final = 16
_DECODED: Final = 64
_BINS: Final = (16, 4, 4)  # of hue, saturation, value

Floats = NDArray[np.float32]


def control_space(name: str) -> ControlSpace | None:
    """The space of that name, if it is one."""
    return next((space for space in CONTROL_SPACES if space == name), None)


def control_vectors(jpeg: bytes, box: Box | None = None) -> tuple[dict[ControlSpace, Floats], Box]:
    """Both vectors of a stored JPEG, (768,) and (256,), compared by the Euclidean distance; and the part of it used.

    That part is the whole image, or a box in it, clipped; raises ValueError where the box lies outside. Each vector has
    length 1. Pixels are 16 x 16 in colour minus their mean (zero where all are equal). The histogram is the root of the
    shares, so that the distance is Hellinger's and a large sky does not outweigh everything else.
    """
    with Image.open(io.BytesIO(jpeg)) as image:
        part = clip_box(box or (0, 0, *image.size), *image.size)
        if box is None:
            image.draft("RGB", (_DECODED, _DECODED))
        picture = image.convert("RGB").resize((_DECODED, _DECODED), Image.Resampling.BOX, box=box and part)
    return picture_vectors(picture), part


def picture_vectors(picture: Image.Image) -> dict[ControlSpace, Floats]:
    """Both vectors of an upright RGB picture, which is brought to 64 x 64 first."""
    if picture.size != (_DECODED, _DECODED):
        picture = picture.resize((_DECODED, _DECODED), Image.Resampling.BOX)
    small = np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float32).ravel()
    centred = small - small.mean()
    length = float(np.linalg.norm(centred))
    return {"pixels": centred / length if length else centred, "colours": _colours(picture)}


def control_spaces(jpegs: Iterable[bytes]) -> dict[ControlSpace, Floats]:
    """The same of many images (about 1,700 a second), (N, 768) and (N, 256)."""
    found = [control_vectors(jpeg)[0] for jpeg in jpegs]
    sizes = {"pixels": 3 * _SIDE**2, "colours": int(np.prod(_BINS))}
    return {
        space: np.stack([one[space] for one in found]) if found else np.empty((0, sizes[space]), dtype=np.float32)
        for space in CONTROL_SPACES
    }


def colour_shares(pixels: NDArray[np.uint8], bins: tuple[int, int, int]) -> NDArray[np.float64]:
    """The share of HSV pixels (P, 3) in each bin of hue, saturation and value, flat in that order."""
    values = pixels.astype(np.int64)
    hue, saturation, value = (values[:, channel] * count // 256 for channel, count in enumerate(bins))
    codes = (hue * bins[1] + saturation) * bins[2] + value
    return np.bincount(codes, minlength=int(np.prod(bins))) / len(codes)


def _colours(picture: Image.Image) -> Floats:
    shares = colour_shares(np.asarray(picture.convert("HSV")).reshape(-1, 3), _BINS)
    return np.sqrt(shares).astype(np.float32)
