"""Tuning curves: how the values of a scan respond to each factor of a scene, and how strongly. Free of torch.

Two matched sweeps separate number from object size: number with the total area held, and the size of one object. Rho
within seeds shows whether a value follows a factor, even if the ground counts too. The power shows by how much:
counting objects gives number^1 area^0, measuring their area number^0 area^1, and the length of their outlines, which is
what edge energy measures, number^1/2 area^1/2. All of them are smaller where the ground itself counts.

Intervals of differences: Zou, Donner, "Construction of confidence limits about effect measures", Stat. Med. 2008.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.counting.sweeps import Sweep, SweepCurves, curves, elasticity, explained, follows, means_of
from models.statistics import Estimate

Doubles = NDArray[np.float64]

NUMBER, NUMBER_AND_AREA, SIZE = "number-fixed-area", "number-fixed-size", "size"
CONTRAST, PLACE, OVERLAP, EMPTY = "contrast", "place", "overlap", "empty"
SWEEPS = (NUMBER_AND_AREA, NUMBER, SIZE, CONTRAST, PLACE, OVERLAP, EMPTY)  # in the order of the page
POWERS = (NUMBER_AND_AREA, NUMBER, SIZE, CONTRAST)  # whose factor has an amount that can be doubled


@dataclass(frozen=True)
class Effect:
    """How one value follows one factor: rho within seeds, the share of movement explained, and the power.

    `explained` is None where the value never moves; `power` is None where the factor has no amount (place has none) or
    the value is always 0.
    """

    rho: Estimate | None
    explained: float | None
    power: Estimate | None


@dataclass(frozen=True)
class Response:
    """Everything that the sentences are written from: effects by sweep, None where there is no such sweep.

    `empty` is what is counted on scenes without an object.
    """

    effects: Mapping[str, Effect]
    empty: Estimate | None

    def rho(self, name: str) -> Estimate | None:
        """Rho within seeds along the sweep of that name."""
        return self.effects[name].rho if name in self.effects else None

    def power(self, name: str) -> Estimate | None:
        return self.effects[name].power if name in self.effects else None


@dataclass(frozen=True)
class Panel:
    """One sweep: the curves of K values, (L, K), the same relative to each value's own mean, and K effects."""

    sweep: Sweep
    curves: SweepCurves
    relative: SweepCurves
    effects: tuple[Effect, ...]


def panel(values: Doubles, sweep: Sweep, areas: Doubles) -> Panel:
    """How every column of values (n, K) moves along a sweep; `areas` (n,) is what objects cover of each scene."""
    here = values[sweep.rows]  # (S, L, K)
    found, levels = curves(here), numbers(sweep)
    mean = found.mean.mean(axis=0)
    scale = np.where(mean > 0, mean, np.nan)
    nothing: list[None] = [None] * here.shape[2]
    rhos: Sequence[Estimate | None] = follows(here, levels) if sweep.numeric else nothing
    powers = elasticity(here, amounts(sweep, areas)) if sweep.name in POWERS else nothing
    shares = [float(share) if np.isfinite(share) else None for share in explained(here)]
    effects = tuple(Effect(*three) for three in zip(rhos, shares, powers, strict=True))
    return Panel(sweep, found, SweepCurves(found.mean / scale, found.low / scale, found.high / scale), effects)


def difference(first: Estimate, second: Estimate) -> Estimate:
    """first - second, of estimates from different scenes."""
    value = first.value - second.value
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, value - below, value + above)


def responses(panels: Mapping[str, Panel], values: Doubles) -> list[Response]:
    """Everything that the sentences need of every column of values (n, K), from the panels of its sweeps."""
    units = range(values.shape[1])
    empty: Sequence[Estimate | None] = [None for _ in units]
    if EMPTY in panels:
        empty = means_of(values[panels[EMPTY].sweep.rows])
    return [Response({name: panel.effects[unit] for name, panel in panels.items()}, empty[unit]) for unit in units]


def amounts(sweep: Sweep, areas: Doubles) -> Doubles:
    """How much there is of the factor in each scene of the sweep, (S, L): the covered area for size, else the level."""
    return areas[sweep.rows] if sweep.name == SIZE else np.broadcast_to(numbers(sweep), sweep.rows.shape)


def numbers(sweep: Sweep) -> Doubles:
    """The levels of a numeric sweep; for another sweep their positions."""
    return np.array(sweep.levels if sweep.numeric else range(len(sweep.levels)), dtype=np.float64)
