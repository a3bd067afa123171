"""How far apart the two sides of the counting equation are for images that have nothing to do with each other.

A small residual means little by itself: faint images have small residuals whatever the network does. The yardstick is
what the same network says of strangers, the pairs that training pushes apart.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.card import Reference

Floats = NDArray[np.float32]


class Rank(NamedTuple):
    """`closer` of `pairs` mismatched pairs are nearer to each other than the image's own two sides."""

    closer: int
    pairs: int

    @property
    def share(self) -> float:
        return self.closer / self.pairs


def mismatched_distances(reference: Reference) -> Floats:
    """|phi(D y) - s(x)| for each reference image x and the y before it (the last, for the first): (n,), ascending.

    The pairing is the one of the loss (`whole.roll(1)` in models/tasks/counting.py), in the order of reference.npz, so
    that it is the same for every image, on every machine.
    """
    other = np.roll(reference.whole, 1, axis=0)
    return np.sort(np.linalg.norm(other - reference.total, axis=1)).astype(np.float32)


def rank(residual: float, distances: Floats) -> Rank:
    """How many of the mismatched pairs are closer than `residual` = |phi(Dx) - s(x)|, not squared."""
    return Rank(int((distances < residual).sum()), len(distances))
