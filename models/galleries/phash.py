"""A 64-bit hash of an image's appearance: copies that were re-encoded, resized or lightly graded keep it.

The signs of the lowest 8 x 8 cosine frequencies of the brightness, against their median, as in Zauner, "Implementation
and Benchmarking of Perceptual Image Hash Functions", thesis, FH Hagenberg 2010. The frequencies that are zero along an
axis are left out here, because they describe gradients of light and not what is shown.
"""

import io
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

NEAR: Final = 6  # bits of 64 that two pictures of the same may differ in
FEATURELESS: Final = 0  # the hash of an image that shows nothing; it is a copy of no other
FAINT: Final = 0.25  # gray levels, root mean square of the frequencies: below it there is but noise
CHUNK: Final = 2**22  # pairs compared at a time

Hashes = NDArray[np.uint64]

_SIDE: Final = 32
_FREQUENCIES: Final = np.cos(np.pi * (np.arange(_SIDE) + 0.5) * np.arange(1, 9)[:, None] / _SIDE) * 2 / _SIDE  # (8, 32)


def phash(jpeg: bytes) -> int:
    """The hash of a stored JPEG, 0 to 2**64 - 1."""
    with Image.open(io.BytesIO(jpeg)) as image:
        image.draft("L", (2 * _SIDE, 2 * _SIDE))  # the decoder halves for nothing what is averaged away below
        gray = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    found = (_FREQUENCIES @ np.asarray(gray, dtype=np.float64) @ _FREQUENCIES.T).ravel()  # (64,)
    if np.sqrt(np.square(found).mean()) < FAINT:
        return FEATURELESS
    return int.from_bytes(np.packbits(found > np.median(found)).tobytes())


def phashes(jpegs: Iterable[bytes]) -> Hashes:
    """The hashes of many (some 3,000 a second), (N,)."""
    return np.fromiter((phash(jpeg) for jpeg in jpegs), dtype=np.uint64)


def differing(one: int, hashes: Hashes) -> NDArray[np.uint8]:
    """In how many bits each hash differs from one; 64 where either shows nothing, (N,)."""
    bits = np.bitwise_count(hashes ^ np.uint64(one))
    return np.where((hashes == FEATURELESS) | (one == FEATURELESS), np.uint8(64), bits)


def near_any(hashes: Hashes, known: Hashes, *, bits: int = NEAR) -> NDArray[np.bool_]:
    """Which of the hashes (N,) differ from any of the known ones (M,) in at most `bits` bits; those of 0 never do."""
    found = np.zeros(len(hashes), dtype=np.bool_)
    known = np.unique(known[known != FEATURELESS])
    if not len(known):
        return found
    unlike = np.flatnonzero(hashes != FEATURELESS)
    step = max(1, CHUNK // len(known))
    for start in range(0, len(unlike), step):
        rows = unlike[start : start + step]
        found[rows] = (np.bitwise_count(hashes[rows, None] ^ known[None]) <= bits).any(axis=1)
    return found
