"""Matched sweeps: how a value moves along one factor while everything else of the scene stays equal. Free of torch.

A sweep shows each of S seeds at each of L levels. What is compared is always within a seed; every interval is a 95 %
percentile bootstrap over seeds (Efron, Tibshirani, "An Introduction to the Bootstrap"), widened by sqrt(S / (S - 1))
because S is small (Hesterberg, "What Teachers Should Know about the Bootstrap", The American Statistician 2015).
Bands are those of the within-seed change: each seed's own mean is taken out first (Cousineau, TQMP 2005) and the spread
that this takes out too is put back (Morey, TQMP 2008).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.statistics import RESAMPLES, Doubles, Estimate, ranks

Level = float | str


@dataclass(frozen=True)
class Sweep:
    """The rows of a gallery that differ in one factor: `rows` (S, L), one seed a line, levels ascending."""

    name: str
    levels: tuple[Level, ...]
    seeds: tuple[int, ...]
    rows: NDArray[np.int64]

    @property
    def numeric(self) -> bool:
        return not any(isinstance(level, str) for level in self.levels)


@dataclass(frozen=True)
class SweepCurves:
    """Means over seeds at each level and their bands, (L, K) each."""

    mean: Doubles
    low: Doubles
    high: Doubles


def sweeps_of(scenes: Sequence[Mapping[str, object] | None]) -> dict[str, Sweep]:
    """The sweeps among a gallery's scenes, by name; a seed that lacks a level is left out."""
    found: dict[str, dict[tuple[int, Level], int]] = {}
    for row, scene in enumerate(scenes):
        name, level = (scene or {}).get("sweep"), (scene or {}).get("level")
        if scene is None or not isinstance(name, str) or not isinstance(level, int | float | str):
            continue
        seed = scene.get("seed")
        found.setdefault(name, {})[int(seed) if isinstance(seed, int) else 0, level] = row
    return {name: sweep for name, cells in found.items() if (sweep := _sweep(name, cells)) is not None}


def _order(level: Level) -> tuple[bool, float, str]:
    return (True, 0.0, level) if isinstance(level, str) else (False, level, "")


def _sweep(name: str, cells: Mapping[tuple[int, Level], int]) -> Sweep | None:
    levels = sorted({level for _, level in cells}, key=_order)
    seeds = [seed for seed in sorted({seed for seed, _ in cells}) if all((seed, level) in cells for level in levels)]
    if len(levels) < 2 or len(seeds) < 2:
        return None
    rows = np.array([[cells[seed, level] for level in levels] for seed in seeds], dtype=np.int64)
    return Sweep(name, tuple(levels), tuple(seeds), rows)


@lru_cache(16)
def draws(seeds: int) -> Doubles:
    """The bootstrap's weights of each seed, (RESAMPLES, S), always the same; every line adds up to 1. Read only."""
    found = np.random.default_rng(0).multinomial(seeds, [1 / seeds] * seeds, RESAMPLES) / seeds
    found.setflags(write=False)
    return found


def curves(values: Doubles) -> SweepCurves:
    """Mean and band at each level of values (S, L, K)."""
    seeds, levels, _ = values.shape
    mean = values.mean(axis=0)  # (L, K)
    centred = values - values.mean(axis=1, keepdims=True) + mean.mean(axis=0)  # (S, L, K)
    drawn = np.tensordot(draws(seeds), centred, axes=1)  # (B, L, K)
    low, high = _interval(drawn, mean, seeds, wider=np.sqrt(levels / (levels - 1)))
    return SweepCurves(mean, low, high)


def follows(values: Doubles, levels: Doubles) -> list[Estimate]:
    """Spearman's rho between value and level, of each seed on its own and then averaged; values (S, L, K), levels (L,).

    A seed whose value never moves counts as 0: it does not follow.
    """
    seeds, count, units = values.shape
    ranked = ranks(values.transpose(1, 0, 2).reshape(count, -1))  # (L, S * K)
    ranked -= ranked.mean(axis=0)
    wanted = ranks(levels[:, None])
    wanted -= wanted.mean()
    size = np.linalg.norm(ranked, axis=0) * np.linalg.norm(wanted)
    rho = ((wanted.T @ ranked)[0] / np.where(size > 0, size, np.inf)).reshape(seeds, units)
    low, high = _interval(draws(seeds) @ rho, rho.mean(axis=0), seeds)
    return _estimates(rho.mean(axis=0), low.clip(-1, 1), high.clip(-1, 1))


def elasticity(values: Doubles, factor: Doubles) -> list[Estimate | None]:
    """The exponent e in mean value ~ factor^e: the slope of log mean on log factor; values (S, L, K), factor (S, L).

    1 where the value doubles with the factor, 0 where it does not move. Levels whose factor is not positive are left
    out; None where a mean is not positive, or fewer than two levels are left.
    """
    kept = (factor > 0).all(axis=0)
    if kept.sum() < 2 or np.ptp(factor[:, kept].mean(axis=0)) <= 0:
        return [None] * values.shape[2]
    seeds = len(values)
    weights = np.concatenate([np.full((1, seeds), 1 / seeds), draws(seeds)])  # the estimate itself, then its resamples
    means = np.tensordot(weights, values[:, kept], axes=1)  # (B, L, K)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.log(np.where(means > 0, means, np.nan))
    x = np.log(weights @ factor[:, kept])  # (B, L)
    x -= x.mean(axis=1, keepdims=True)
    slopes = np.einsum("bl,blk->bk", x, y) / np.square(x).sum(axis=1)[:, None]  # (B, K)
    return [_slope(column, seeds) for column in slopes.T]


def _slope(column: Doubles, seeds: int) -> Estimate | None:
    if not np.isfinite(column[0]) or np.isfinite(column).mean() < 0.95:
        return None
    low, high = _interval(column[np.isfinite(column)], column[0], seeds)
    return Estimate(float(column[0]), float(low), float(high))


def explained(values: Doubles) -> Doubles:
    """Share of the movement within seeds that the level explains, less what chance would explain: (S, L, K) -> (K,).

    1 where all seeds move alike, about 0 where levels explain nothing; NaN where nothing moves.
    """
    seeds = len(values)
    centred = values - values.mean(axis=1, keepdims=True)
    between = seeds * np.square(centred.mean(axis=0)).sum(axis=0)
    total = np.square(centred).sum(axis=(0, 1))
    share = np.divide(between, total, out=np.full(values.shape[2], np.nan), where=total > 1e-12)
    return np.asarray((seeds * share - 1) / (seeds - 1))


def means_of(values: Doubles) -> list[Estimate]:
    """The mean of values (S, L, K) over seeds and levels, with its interval over seeds."""
    means = values.mean(axis=1)  # (S, K)
    low, high = _interval(draws(len(values)) @ means, means.mean(axis=0), len(values))
    return _estimates(means.mean(axis=0), low, high)


def _interval(drawn: Doubles, value: Doubles | float, seeds: int, wider: float = 1.0) -> tuple[Doubles, Doubles]:
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    stretch = wider * np.sqrt(seeds / (seeds - 1))
    return value + stretch * (low - value), value + stretch * (high - value)


def _estimates(values: Doubles, low: Doubles, high: Doubles) -> list[Estimate]:
    return [Estimate(float(v), float(a), float(b)) for v, a, b in zip(values, low, high, strict=True)]
