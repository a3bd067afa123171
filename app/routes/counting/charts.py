"""The bars of the counting bench: for each unit phi(Dx) beside the stack of its four tiles, the residual below."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.web.axes import Axis, axis_over, short
from models.answers import CountAnswer

MOST_UNITS = 60
HEIGHT, RESIDUAL_HEIGHT = 220.0, 90.0
LEFT, TOP, BETWEEN, BELOW = 44.0, 10.0, 34.0, 10.0


@dataclass(frozen=True)
class Block:
    """A rectangle; `kind` is "whole", "tile-0" to "tile-3" or "residual"."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class UnitBars:
    """One unit's bars and its numbers; `href` leads to the unit's top images, where a scan has them."""

    unit: int
    centre: float
    left: float
    slot: float
    blocks: tuple[Block, ...]
    whole: float
    tiles: tuple[float, ...]
    href: str | None

    @property
    def total(self) -> float:
        return sum(self.tiles)

    @property
    def residual(self) -> float:
        return self.whole - self.total


@dataclass(frozen=True)
class Tick:
    """A value and where it is."""

    y: float
    text: str


@dataclass(frozen=True)
class CountFigure:
    """Everything the template needs to draw; sizes in pixels."""

    width: float
    height: float
    left: float
    base: float
    zero: float
    units: tuple[UnitBars, ...]
    ticks: tuple[Tick, ...]
    residual_ticks: tuple[Tick, ...]
    hidden: int


def draw(answer: CountAnswer, active: Sequence[int], unit_href: str | None) -> CountFigure:
    """The units that count, most first; `unit_href` ends where a unit's number goes."""
    shown = sorted(active, key=lambda unit: (-max(answer.whole[unit], answer.total[unit]), unit))[:MOST_UNITS]
    slot = min(56.0, max(26.0, 880.0 / max(len(shown), 1)))
    counts = axis_over(
        (float(value) for unit in shown for value in (answer.whole[unit], answer.total[unit])), from_zero=True
    )
    apart = max((abs(float(answer.per_unit[unit])) for unit in shown), default=1.0) or 1.0
    residuals = axis_over((-apart, apart))
    base = TOP + HEIGHT
    top = base + BETWEEN
    units = tuple(
        _unit(answer, unit, LEFT + place * slot, slot, counts, residuals, top, unit_href)
        for place, unit in enumerate(shown)
    )
    return CountFigure(
        width=LEFT + slot * max(len(shown), 1) + 8,
        height=top + RESIDUAL_HEIGHT + BELOW,
        left=LEFT,
        base=base,
        zero=top + RESIDUAL_HEIGHT / 2,
        units=units,
        ticks=tuple(Tick(base - HEIGHT * counts.share(value), short(value)) for value in counts.ticks(4)),
        residual_ticks=tuple(
            Tick(top + RESIDUAL_HEIGHT * (1 - residuals.share(value)), short(value))
            for value in (residuals.high, 0.0, residuals.low)
        ),
        hidden=len(active) - len(shown),
    )


def _unit(
    answer: CountAnswer,
    unit: int,
    left: float,
    slot: float,
    counts: Axis,
    residuals: Axis,
    top: float,
    unit_href: str | None,
) -> UnitBars:
    whole = float(answer.whole[unit])
    tiles = tuple(float(value) for value in answer.tiles[:, unit])
    bar = slot * 0.36
    blocks = [_block("whole", left + slot * 0.1, bar, 0.0, whole, counts)]
    below = 0.0
    for place, value in enumerate(tiles):
        blocks.append(_block(f"tile-{place}", left + slot * 0.54, bar, below, below + value, counts))
        below += value
    zero, tip = (top + RESIDUAL_HEIGHT * (1 - residuals.share(value)) for value in (0.0, whole - sum(tiles)))
    blocks.append(Block("residual", left + slot * 0.3, min(zero, tip), slot * 0.4, abs(zero - tip)))
    href = f"{unit_href}{unit}" if unit_href else None
    return UnitBars(unit, left + slot / 2, left, slot, tuple(blocks), whole, tiles, href)


def _block(kind: str, x: float, width: float, low: float, high: float, counts: Axis) -> Block:
    y = TOP + HEIGHT * (1 - counts.share(high))
    return Block(kind, x, y, width, HEIGHT * (counts.share(high) - counts.share(low)))
