"""Two results on the same images compared: McNemar's test for one run each, a paired bootstrap for several seeds.

McNemar, "Note on the sampling error of the difference between correlated proportions", Psychometrika 1947; Efron,
Tibshirani, "An Introduction to the Bootstrap", 1993. Free of torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import comb
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.statistics import Estimate

RESAMPLES: Final = 1000

Weights = NDArray[np.float64]
ScoreOf = Callable[[Weights], NDArray[np.float64]]
"""From how often each image counts (R, n) to the score of each seed (R, S)."""


@dataclass(frozen=True)
class McNemar:
    """Of the images on which two disagree: how many only the first gets right, how many only the second, and p."""

    first: int
    second: int
    p: float


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> McNemar:
    """The exact two-sided test that both are right equally often, from hits (n,) on the same images."""
    alone, other = int((first & ~second).sum()), int((~first & second).sum())
    total = alone + other
    tail = sum(comb(total, i) for i in range(min(alone, other) + 1))
    return McNemar(alone, other, min(1.0, 2 * tail / 2**total))


@lru_cache(maxsize=2)
def resamples(n: int, seed: int, count: int = RESAMPLES) -> Weights:
    """How often each of n images is drawn in each resample of n: (count, n)."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=count).astype(np.float64)
    drawn.flags.writeable = False  # it is given out again
    return drawn


def estimated(score: ScoreOf, n: int, *, seed: int = 0) -> Estimate:
    """The mean over seeds of a score, with a bootstrap interval over images and seeds."""
    exact, drawn = score(np.ones((1, n))), score(resamples(n, seed))
    low, high = np.nanpercentile(_over_seeds(drawn, seed), [2.5, 97.5])
    return Estimate(float(exact.mean()), float(low), float(high))


def difference(first: ScoreOf, second: ScoreOf, n: int, *, seed: int = 0, count: int = RESAMPLES) -> Estimate:
    """How much higher the first scores than the second: the same images, the same resamples, seeds drawn apart."""
    weights, every = resamples(n, seed, count), np.ones((1, n))
    drawn = _over_seeds(first(weights), seed) - _over_seeds(second(weights), seed + 1)
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Estimate(float(first(every).mean() - second(every).mean()), float(low), float(high))


def share_right(hits: NDArray[Any]) -> ScoreOf:
    """The share of images that are right, from hits (S, n)."""
    right = hits.astype(np.float64)

    def score(weights: Weights) -> NDArray[np.float64]:
        return np.asarray(weights @ right.T / weights.sum(axis=1, keepdims=True), dtype=np.float64)

    return score


def _over_seeds(scores: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """The mean over S seeds drawn with replacement, anew for each resample: (R, S) -> (R,)."""
    rng = np.random.default_rng([seed, 1])
    drawn = rng.integers(0, scores.shape[1], size=scores.shape)
    return np.asarray(np.take_along_axis(scores, drawn, axis=1).mean(axis=1), dtype=np.float64)
