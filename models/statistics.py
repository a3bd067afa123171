"""Statistics that several folders share: estimates, bootstrap intervals, rank correlations. Free of torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
RESAMPLES = 500


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 or -1 where the interval lies wholly above or below 0, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def bootstrapped(of: Callable[[NDArray[np.int64]], float | None], n: int, *, seed: int = 0) -> dict[str, Any]:
    """The value of `of(rows)` on all `n` rows, and its interval over rows drawn again with replacement, as a cell."""
    rng = np.random.default_rng(seed)
    value = of(np.arange(n)) if n else None
    draws = [of(rng.integers(0, n, n)) for _ in range(RESAMPLES)] if n > 1 and value is not None else []
    values = [draw for draw in draws if draw is not None]
    interval = [float(q) for q in np.percentile(values, [2.5, 97.5])] if len(values) > RESAMPLES // 2 else None
    return {"value": value, "interval": interval, "n": n}


def ranks(values: Doubles) -> Doubles:
    """Ranks from 0 along the first axis of (n,) or, column by column, (n, m); equal values share their mean rank."""
    order = np.argsort(values, axis=0, kind="stable")
    ascending = np.take_along_axis(values, order, axis=0)
    place = np.broadcast_to(np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1)), values.shape)
    new = np.ones(values.shape, dtype=bool)
    new[1:] = ascending[1:] != ascending[:-1]
    last = np.ones(values.shape, dtype=bool)
    last[:-1] = new[1:]
    first = np.maximum.accumulate(np.where(new, place, 0), axis=0)
    final = np.minimum.accumulate(np.where(last, place, len(values))[::-1], axis=0)[::-1]
    found = np.empty(values.shape)
    np.put_along_axis(found, order, (first + final) / 2, axis=0)
    return found


def correlation(one: Doubles, two: Doubles) -> float | None:
    """Pearson's r; None where one of them does not vary."""
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(two) == 0:
        return None
    return float(np.corrcoef(one, two)[0, 1])


def spearman(one: Doubles, two: Doubles) -> float | None:
    """Pearson's r of the ranks."""
    return correlation(ranks(one), ranks(two))


def bootstrapped_pairs(
    of: Callable[[Doubles, Doubles], float | None], one: Doubles, two: Doubles, *, seed: int = 0
) -> dict[str, Any]:
    """A measure of two series and its interval over pairs drawn again together, as a cell."""
    return bootstrapped(lambda rows: of(one[rows], two[rows]), len(one), seed=seed)
