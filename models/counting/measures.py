"""Does it count? Measures on held-out images that an averager, a random network and a constant fail.

On an image let w = phi(Dx), s = sum_j phi(T_j x), |.|_1 the total. Each measure is a function of both sides of the
equation for n images, so that the controls (an averager made of the same network, a constant) are scored by the same
code. Intervals are 95 % percentile bootstraps over images (Efron, Tibshirani, "An Introduction to the Bootstrap").
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.active_units import active
from models.counting.additivity import additivity
from models.statistics import RESAMPLES, Doubles

MARGIN = 10.0  # of the paper's loss, which held-out images are scored by whatever a run minimises


@dataclass(frozen=True)
class Sides:
    """Both sides of the counting equation for n images, (n, K) each, and the cost of mistaking one for another, (n,).

    `whole` = phi(Dx), `total` = sum_j phi(T_j x). `mismatched` is |phi(Dy) - total|^2 with y the next image, `similar`
    the same with y the image of the next larger |phi(Dy)|. Partners are chosen once, among all images: chosen anew in
    a resample they would often be the image itself.
    """

    whole: Doubles
    total: Doubles
    mismatched: Doubles
    similar: Doubles

    @classmethod
    def of(cls, whole: Doubles, total: Doubles) -> "Sides":
        """The sides with their partners; needs two images."""
        order = np.argsort(np.linalg.norm(whole, axis=1), kind="stable")
        similar = np.empty(len(whole))
        similar[order] = _squares(np.roll(whole[order], -1, axis=0) - total[order])
        return cls(whole, total, _squares(np.roll(whole, 1, axis=0) - total), similar)

    @property
    def errors(self) -> Doubles:
        """|w - s|^2 of each image."""
        return _squares(self.whole - self.total)

    def averager(self) -> "Sides":
        """The control that answers with the mean of its tiles."""
        return Sides.of(self.total / 4, self.total)

    def constant(self) -> "Sides":
        """The control that gives every image and every tile the mean count vector."""
        mean = np.broadcast_to(self.whole.mean(axis=0), self.whole.shape)
        return Sides.of(mean, 4 * mean)

    def take(self, rows: NDArray[np.int64]) -> "Sides":
        return Sides(self.whole[rows], self.total[rows], self.mismatched[rows], self.similar[rows])


def _squares(vectors: Doubles) -> Doubles:
    squares: Doubles = np.square(vectors).sum(axis=1)
    return squares


def _ratio(above: float, below: float) -> float | None:
    return float(above / below) if below > 0 else None


def loss(sides: Sides) -> float | None:
    """The training loss: pull plus hinge, y the next image."""
    return float((sides.errors + np.maximum(0, MARGIN - sides.mismatched)).mean())


def pull(sides: Sides) -> float | None:
    """mean |w - s|^2."""
    return float(sides.errors.mean())


def additivity_ratio(sides: Sides) -> float | None:
    """mean |w|_1 / mean |s|_1: 1 for a network that adds, 1/4 for one that averages."""
    return additivity(sides.whole.sum(), sides.total.sum())


def _r2(sides: Sides, prediction: Doubles) -> float | None:
    spread = np.square(sides.whole - sides.whole.mean(axis=0)).sum()
    if spread <= 1e-12 * np.square(sides.whole).sum():  # a constant: what is left is rounding
        return None
    explained = _ratio(float(np.square(sides.whole - prediction).sum()), float(spread))
    return None if explained is None else 1 - explained


def r2_adding(sides: Sides) -> float | None:
    """Share of the variance of w that s explains."""
    return _r2(sides, sides.total)


def r2_averaging(sides: Sides) -> float | None:
    """Share of the variance of w that s / 4 explains."""
    return _r2(sides, sides.total / 4)


def r2_gain(sides: Sides) -> float | None:
    """R2 of adding less that of averaging, of the same images: above 0 where adding explains more."""
    adding, averaging = r2_adding(sides), r2_averaging(sides)
    return None if adding is None or averaging is None else adding - averaging


def matched_to_mismatched(sides: Sides) -> float | None:
    """mean |w - s|^2 over the same with y another image."""
    return _ratio(float(sides.errors.mean()), float(sides.mismatched.mean()))


def matched_to_norm_matched(sides: Sides) -> float | None:
    """The same, with y of similar norm: 0 for a network that adds, .53 for one that averages."""
    return _ratio(float(sides.errors.mean()), float(sides.similar.mean()))


def active_units(sides: Sides) -> float | None:
    """How many units are active by their mean."""
    return float(active(sides.whole.mean(axis=0)).sum())


def firing_units(sides: Sides) -> float | None:
    """Units that fire on more than 5 % of the images."""
    return float(((sides.whole > 0).mean(axis=0) > 0.05).sum())


def firing_share(sides: Sides) -> float | None:
    """On what share of the images an active unit fires, the mean over active units."""
    units = active(sides.whole.mean(axis=0))
    return float((sides.whole[:, units] > 0).mean()) if units.any() else None


def participation_ratio(sides: Sides) -> float | None:
    """(sum m)^2 / sum m^2 of the mean activations m: the effective number of units."""
    mean = sides.whole.mean(axis=0)
    return _ratio(float(mean.sum() ** 2), float(np.square(mean).sum()))


MEASURES: dict[str, Callable[[Sides], float | None]] = {
    "loss": loss,
    "pull": pull,
    "additivity_ratio": additivity_ratio,
    "r2_adding": r2_adding,
    "r2_averaging": r2_averaging,
    "r2_gain": r2_gain,
    "matched_to_mismatched": matched_to_mismatched,
    "matched_to_norm_matched": matched_to_norm_matched,
    "active_units": active_units,
    "firing_units": firing_units,
    "firing_share": firing_share,
    "participation_ratio": participation_ratio,
}


def measure(sides: Sides, *, seed: int = 0) -> dict[str, dict[str, float | int | list[float] | None]]:
    """Every measure as {"value", "interval": [low, high] | None, "n"}; a value is None where it is not defined."""
    n = len(sides.whole)
    rng = np.random.default_rng(seed)
    draws = [sides.take(rng.integers(0, n, n)) for _ in range(RESAMPLES)] if n > 1 else []
    report: dict[str, dict[str, float | int | list[float] | None]] = {}
    for name, of in MEASURES.items():
        values = [value for draw in draws if (value := of(draw)) is not None]
        interval = [float(q) for q in np.percentile(values, [2.5, 97.5])] if len(values) == RESAMPLES else None
        report[name] = {"value": of(sides), "interval": interval, "n": n}
    return report


def growth_exponent(
    magnitudes: Doubles, areas: Doubles, *, seed: int = 0
) -> dict[str, float | int | list[float] | None]:
    """beta in |phi| ~ area^beta: the slope of log|phi| on log area within images, (n, crops) each; zeros are left out.

    1 for a network that counts what fills the image evenly, 0 for one that averages.
    """
    seen = (magnitudes > 0).all(axis=1)
    y, x = np.log(magnitudes[seen]), np.log(areas[seen])
    if len(y) < 2:
        return {"value": None, "interval": None, "n": len(y)}
    y, x = y - y.mean(axis=1, keepdims=True), x - x.mean(axis=1, keepdims=True)
    above, below = (x * y).sum(axis=1), np.square(x).sum(axis=1)
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(y), (RESAMPLES, len(y)))
    slopes = above[rows].sum(axis=1) / below[rows].sum(axis=1)
    low, high = np.percentile(slopes, [2.5, 97.5])
    return {"value": float(above.sum() / below.sum()), "interval": [float(low), float(high)], "n": len(y)}
