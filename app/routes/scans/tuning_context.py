"""What the page of tuning curves shows: the variables of tuning.html."""

from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from app.web.choices import Choice
from app.web.frame import PageContext


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval, in words; `settled`: the interval does not hold 0."""

    value: str
    low: str
    high: str
    settled: bool


@dataclass(frozen=True)
class Scene:
    """A scene of a sweep as the page shows it; `value` is what the first series counts at this level."""

    src: str
    href: str
    alt: str
    level: str
    value: str
    band: str


@dataclass(frozen=True)
class EffectRow:
    """What one series does along a sweep; `colour` is the number of its colour in the chart."""

    name: str
    colour: int
    rho: Interval | None
    power: Interval | None
    explained: str


@dataclass(frozen=True)
class Banded:
    """A mean and its band."""

    mean: str
    band: str


@dataclass(frozen=True)
class SweepCard:
    """One sweep: its chart, what its series do, one seed's scenes, the numbers; `explained` in place of a chart."""

    name: str
    title: str
    axis: str
    note: str
    seeds: int
    chart: Markup | None
    effects: list[EffectRow]
    scenes: list[Scene]
    explained: str
    rows: list[tuple[str, list[Banded]]]


@dataclass(frozen=True)
class TunedUnitCell:
    """One unit along one sweep; `ranked`: its rank correlation is shown, settled where the interval leaves out 0."""

    drawing: Markup
    words: str
    power: str
    ranked: bool
    settled: bool


@dataclass(frozen=True)
class TunedUnitRow:
    """One unit over all sweeps."""

    unit: int
    href: str
    chosen: bool
    mean: str
    cells: list[TunedUnitCell]


@dataclass(frozen=True)
class CorrelatedRow:
    """How one value follows number, area and edges: alone, and with the other two held fixed."""

    name: str
    href: str
    scenes: str
    follows: list[tuple[Interval | None, Interval | None]]


@dataclass(frozen=True)
class CorrelatedTable:
    """What counts follow over mixed scenes, by name; `units` of the rows are units."""

    names: list[str]
    rows: list[CorrelatedRow]
    units: int


@dataclass(frozen=True)
class TuningContext(PageContext):
    """Tuning curves: `unit_page` are the top images of the chosen unit, `orders` the heads of the table of units."""

    template: ClassVar[str] = "tuning.html"
    scan: str
    scan_page: str
    checkpoint: str
    gallery: str
    others: list[tuple[str, str]]
    sentences: list[str]
    measured: bool
    random_missing: bool
    shown: list[Choice]
    other_seed: str
    unit: int | None
    unit_page: str
    active: str
    who: str
    cards: list[SweepCard]
    orders: list[Choice]
    units: list[TunedUnitRow]
    hidden: str
    all_units: str
    correlated: CorrelatedTable | None
