"""How far apart the two sides of the counting equation are for a mismatched pair: the whole of another image.

A small residual means little by itself: faint images have small residuals whatever the network does. It is therefore
compared with the residuals of other images whose count vectors are about as long, that is with the pairs that training
pushes apart.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.card import Reference

Floats = NDArray[np.float32]

BAND = 64  # images to compare with: an eighth of the 512 that a training keeps out
ITSELF = 1e-3  # a reference as near to phi(Dx) as this share of its norm is the image itself, rounded


class Rank(NamedTuple):
    """`closer` of `pairs` mismatched pairs are nearer to each other than the image's own two sides."""

    closer: int
    pairs: int

    @property
    def share(self) -> float:
        return self.closer / self.pairs


@dataclass(frozen=True)
class MismatchedImages:
    """Held-out images y whose norm |phi(Dy)| lies in `norms`, about that of the image x, out of `known`.

    `distances` are |phi(Dy) - s(x)|, ascending: how well another image's whole fits the tiles of x.
    """

    distances: Floats
    norms: tuple[float, float]
    known: int

    def rank(self, residual: float) -> Rank:
        """How many of them fit the tiles better than the image's own whole, `residual` = |phi(Dx) - s(x)| away."""
        return Rank(int((self.distances < residual).sum()), len(self.distances))


@dataclass(frozen=True)
class PairLoss:
    """The paper's equation 4 for one pair of images: |phi(Dx) - s(x)|^2 + max(0, M - |phi(Dy) - s(x)|^2)."""

    pull: float
    apart: float  # |phi(Dy) - s(x)|^2
    margin: float

    @property
    def push(self) -> float:
        return max(0.0, self.margin - self.apart)

    @property
    def loss(self) -> float:
        return self.pull + self.push


def mismatched_images(
    whole: Floats, total: Floats, reference: Reference, *, band: int = BAND
) -> MismatchedImages | None:
    """The `band` reference images (at most half of them) nearest in norm to an image; None without any.

    `whole` = phi(Dx) and `total` = s(x), (K,) each. The image itself, where it is a reference, is left out.
    """
    norm = float(np.linalg.norm(whole))
    other = np.linalg.norm(reference.whole - whole, axis=1) > ITSELF * max(norm, ITSELF)
    wholes = reference.whole[other]
    if len(wholes) == 0:
        return None
    norms = np.linalg.norm(wholes, axis=1)
    nearest = np.argsort(np.abs(norms - norm), kind="stable")[: min(band, max(1, len(wholes) // 2))]
    distances = np.sort(np.linalg.norm(wholes[nearest] - total, axis=1)).astype(np.float32)
    return MismatchedImages(distances, (float(norms[nearest].min()), float(norms[nearest].max())), len(wholes))


def pair_loss(whole: Floats, total: Floats, other: Floats, margin: float) -> PairLoss:
    """The loss of x with its tiles' sum s(x), and of y with `other` = phi(Dy)."""
    pull = float(np.square(whole - total, dtype=np.float64).sum())
    apart = float(np.square(other - total, dtype=np.float64).sum())
    return PairLoss(pull, apart, margin)
