"""The charts of the counting bench: bars, scatter plots, a histogram and a curve.

The bars show, for each unit, φ(Dx) beside the sum of its four tiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from app.services.counting.service import Counted
from app.web.axes import Axis, axis_over, short
from app.web.charts import Dot, histogram, line_chart, scatter_chart
from app.web.formats import number
from models.answers import CountAnswer, CurvePoint
from models.card import Reference

MOST_UNITS = 60  # that have bars
HEIGHT, RESIDUAL_HEIGHT = 220.0, 90.0  # pixels, of the bars and of the differences below them
LEFT, TOP, BETWEEN, BELOW = 44.0, 10.0, 34.0, 10.0  # pixels that are left free
BINS = 24  # of the histogram
NAMED = 5  # points of the scatter plot with the unit's number beside them
TILE_NAMES = ("top left", "top right", "bottom left", "bottom right")
RAYS = {"y = x, adds": 1.0, "y = x / 4, averages": 0.25}


@dataclass(frozen=True)
class Block:
    """A rectangle of the drawing, in pixels; `kind` is "whole", "tile-0" to "tile-3" or "residual"."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class UnitBars:
    """The bars of one unit and its numbers.

    `left` and `slot` are the start and the width of its place in the drawing, `centre` the middle of it, in pixels.
    `href` leads to the unit's top images, and is None if no scan has them.
    """

    unit: int
    title: str
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
    """A labelled value of an axis and its height in the drawing, in pixels."""

    y: float
    text: str


@dataclass(frozen=True)
class CountFigure:
    """All that the template draws; sizes are in pixels.

    `base` is the height at which bars begin, `zero` that of the line of no difference. `hidden` units have no bars.
    """

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
    """The figure of the units that count, largest counts first; a unit's number after `unit_href` is its address."""
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
    title = _title(unit, whole, tiles) + (". Click for its top images" if href else "")
    return UnitBars(unit, title, left + slot / 2, left, slot, tuple(blocks), whole, tiles, href)


def _title(unit: int, whole: float, tiles: tuple[float, ...]) -> str:
    """The numbers of a unit in words, to show on hover."""
    each = ", ".join(f"{name} {number(value)}" for name, value in zip(TILE_NAMES, tiles, strict=True))
    total = sum(tiles)
    return f"unit {unit}: whole {number(whole)}, tiles {number(total)} ({each}), difference {number(whole - total)}"


def _block(kind: str, x: float, width: float, low: float, high: float, counts: Axis) -> Block:
    y = TOP + HEIGHT * (1 - counts.share(high))
    return Block(kind, x, y, width, HEIGHT * (counts.share(high) - counts.share(low)))


def units_scatter(counted: Counted, unit_href: str | None) -> Markup:
    """A point for each unit that counts: its count of the whole against the sum over its tiles."""
    answer = counted.answer
    whole, total = answer.whole.tolist(), answer.total.tolist()
    named = sorted(counted.active, key=lambda unit: -max(whole[unit], total[unit]))[:NAMED]
    dots = [
        Dot(
            total[unit],
            whole[unit],
            title=f"unit {unit}: whole {whole[unit]:.3g}, tiles together {total[unit]:.3g}",
            label=str(unit) if unit in named else "",
            href=f"{unit_href}{unit}" if unit_href else "",
            marked=unit in named,
        )
        for unit in counted.active
    ]
    return scatter_chart(
        dots,
        rays=RAYS,
        label="Each unit's count of the whole against the sum over its tiles",
        x_label="sum over the four tiles, Σ φ(Tⱼx)",
        y_label="whole, φ(Dx)",
    )


def totals_scatter(counted: Counted, reference: Reference) -> Markup:
    """Total counts of held-out images, whole against tiles, with this image among them."""
    pairs = zip(reference.total.sum(axis=1).tolist(), reference.whole.sum(axis=1).tolist(), strict=True)
    here = Dot(counted.tiles_total, counted.whole_total, "this image", "this image", marked=True)
    return scatter_chart(
        [*(Dot(total, whole) for total, whole in pairs), here],
        rays=RAYS,
        label="Total counts of held-out images, whole against tiles, and this image among them",
        x_label="sum over the four tiles, all units",
        y_label="whole, all units",
    )


def strangers_histogram(counted: Counted) -> Markup | None:
    """How far φ(Dy) of other images of similar norm is from this image's tiles, and how far its own φ(Dx) is."""
    if counted.strangers is None:
        return None
    distances = counted.strangers.distances.tolist()
    top = max(distances[-1], counted.residual) * 1.02 or 1.0
    counts = [0] * BINS
    for distance in distances:
        counts[min(int(distance / top * BINS), BINS - 1)] += 1
    return histogram(
        [top * place / BINS for place in range(BINS + 1)],
        counts,
        label="Distances of strangers of similar norm from this image's tiles, and its own residual",
        x_label="distance from this image's tile sum, ‖φ(Dy) − s(x)‖",
        y_label="strangers",
        markers={"its own whole": counted.residual},
        height=130,
    )


def crop_curve(points: tuple[CurvePoint, ...], area: float | None) -> Markup:
    """How much nested crops count, with the crop of the share `area` marked."""
    series = {
        "total count": [(100 * point.area, point.total) for point in points],
        "norm": [(100 * point.area, point.norm) for point in points],
    }
    markers = {f"{round(100 * area)} %": 100 * area} if area is not None else None
    return line_chart(
        series,
        label="How much nested crops count",
        x_label="share of the central square's area, %",
        markers=markers,
        height=180,
    )
