"""Masks as run lengths: row by row through a box, first how many pixels are off, then how many are on, and so on."""

from collections.abc import Sequence

import numpy as np

from models.countables.values import Mask

Box = tuple[int, int, int, int]  # left, top, right, bottom; the last two just outside


def runs(mask: Mask) -> list[int]:
    """The run lengths of a mask; the first counts pixels that are off and may be 0."""
    flat = mask.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], changes, [flat.size]])
    lengths = np.diff(edges).tolist()
    return [0, *lengths] if flat.size and flat[0] else lengths


def mask(lengths: Sequence[int], height: int, width: int) -> Mask:
    """The mask of run lengths; (height, width)."""
    on = np.arange(len(lengths)) % 2 == 1
    return np.repeat(on, lengths).reshape(height, width)


def bounds(shape: Mask) -> Box | None:
    """The smallest box that holds all pixels of the mask; None where it is empty."""
    rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
