"""Scales, round tick values and short tick labels for charts."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """Maps [low, high] to [0, 1], linearly or by logarithm."""

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """Where `value` lies along the axis: 0 at `low`, 1 at `high`."""
        low, high, at = (self._bend(number) for number in (self.low, self.high, value))
        return (at - low) / (high - low) if high > low else 0.5

    def ticks(self, wanted: int = 5) -> list[float]:
        """About `wanted` round values within the axis."""
        return _log_ticks(self.low, self.high) if self.log else _round_ticks(self.low, self.high, wanted)

    def _bend(self, value: float) -> float:
        return math.log10(max(value, 1e-300)) if self.log else value


def axis_over(values: Iterable[float], *, log: bool = False, from_zero: bool = False, snug: bool = False) -> Axis:
    """An axis that includes all finite values, widened to round ends unless `snug`.

    A logarithmic axis ignores values that are not positive.
    """
    kept = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    low, high = (min(kept), max(kept)) if kept else (0.0, 1.0)
    if from_zero and not log:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        high, low = (high * 10, low / 10) if log else (high + (abs(high) or 1.0), low if from_zero else low - abs(low))
    if log:
        return Axis(max(low, 1e-300), high, log=True)
    step = _round_step(high - low, 5)
    return Axis(low, high) if snug else Axis(math.floor(low / step) * step, math.ceil(high / step) * step)


def short(value: float) -> str:
    """A number as a short label: `0.05`, `12`, `20k`, `1.5M`, `1e-5`."""
    size = abs(value)
    if size and (size < 1e-3 or size >= 1e12):
        return f"{value:.1e}".replace(".0e", "e").replace("e-0", "e-").replace("e+", "e")
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= limit:
            return f"{value / (1e3 if unit == 'k' else limit):.4g}{unit}"
    return f"{value:.4g}"


def _round_step(span: float, wanted: int) -> float:
    rough = span / max(wanted, 1) or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)


def _round_ticks(low: float, high: float, wanted: int) -> list[float]:
    step = _round_step(high - low, wanted)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) if abs(step) > 1e-9 else index * step for index in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    powers = range(first, last + 1)
    if len(powers) < 3:  # one or two powers of ten are too few ticks
        fine = [factor * 10.0**power for power in range(first - 1, last + 1) for factor in (1, 2, 5)]
        return [tick for tick in fine if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)] or _round_ticks(low, high, 3)
    stride = max(1, math.ceil(len(powers) / 6))
    return [10.0**power for power in powers[::stride]]
