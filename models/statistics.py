"""Statistics that several rooms share: bootstrap intervals and rank correlations. Free of torch."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
RESAMPLES = 500


def bootstrapped(of: Callable[[NDArray[np.int64]], float | None], n: int, *, seed: int = 0) -> dict[str, Any]:
    """A cell of `of(rows)`: its value on all `n` rows, and the interval over rows drawn again with replacement."""
    rng = np.random.default_rng(seed)
    value = of(np.arange(n)) if n else None
    draws = [of(rng.integers(0, n, n)) for _ in range(RESAMPLES)] if n > 1 and value is not None else []
    values = [draw for draw in draws if draw is not None]
    interval = [float(q) for q in np.percentile(values, [2.5, 97.5])] if len(values) > RESAMPLES // 2 else None
    return {"value": value, "interval": interval, "n": n}


def ranks(values: Doubles) -> Doubles:
    """Ranks from 0; ties share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    shared: Doubles = (ends - (counts + 1) / 2)[inverse]
    return shared


def correlation(one: Doubles, two: Doubles) -> float | None:
    """Pearson's r; None where one of them does not vary."""
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(two) == 0:
        return None
    return float(np.corrcoef(one, two)[0, 1])


def spearman(one: Doubles, two: Doubles) -> float | None:
    """Pearson's r of the ranks."""
    return correlation(ranks(one), ranks(two))


def paired(
    of: Callable[[Doubles, Doubles], float | None], one: Doubles, two: Doubles, *, seed: int = 0
) -> dict[str, Any]:
    """A cell of a measure of two series, pairs drawn again together."""
    return bootstrapped(lambda rows: of(one[rows], two[rows]), len(one), seed=seed)
