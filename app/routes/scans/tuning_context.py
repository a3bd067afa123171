"""What the page of tuning curves shows: the variables of tuning.html."""

from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from app.web.choices import Choice
from app.web.frame import PageContext


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval, as text; `settled`: the interval does not include 0."""

    value: str
    low: str
    high: str
    settled: bool


@dataclass(frozen=True)
class Scene:
    """A scene of a sweep; `value` is what the first series counts at this level, `band` its interval."""

    src: str
    href: str
    alt: str
    level: str
    value: str
    band: str


@dataclass(frozen=True)
class EffectRow:
    """How one series changes along a sweep; `colour` is the number of its colour in the chart.

    `rho` is the rank correlation with the level, `power` the exponent of a fitted power law, `explained` the share of
    the variance that the level explains.
    """

    name: str
    colour: int
    rho: Interval | None
    power: Interval | None
    explained: str


@dataclass(frozen=True)
class Banded:
    """A mean and its 95 % interval, as text."""

    mean: str
    band: str


@dataclass(frozen=True)
class SweepCard:
    """One sweep: its chart, the effect on each series, the scenes of one seed, and a table of numbers.

    `chart` is None if the levels are names; then `explained` says how much of each series they explain.
    """

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
    """One unit along one sweep: a small curve, with the effect and the exponent in words.

    `ranked`: the effect is a rank correlation; `settled`: its interval does not include 0.
    """

    drawing: Markup
    words: str
    power: str
    ranked: bool
    settled: bool


@dataclass(frozen=True)
class TunedUnitRow:
    """One unit along all sweeps."""

    unit: int
    href: str
    chosen: bool
    mean: str
    cells: list[TunedUnitCell]


@dataclass(frozen=True)
class CorrelatedRow:
    """How one value follows the number of objects, their area and the edges.

    `follows` has two correlations for each: by itself, and with the other two held fixed.
    """

    name: str
    href: str
    scenes: str
    follows: list[tuple[Interval | None, Interval | None]]


@dataclass(frozen=True)
class CorrelatedTable:
    """What the counts follow over mixed scenes; `names` are the factors, and `units` of the rows are single units."""

    names: list[str]
    rows: list[CorrelatedRow]
    units: int


@dataclass(frozen=True)
class TuningContext(PageContext):
    """The page of tuning curves.

    `measured`: the scan has edge energies; `random_missing`: the untrained network was not scanned yet. `shown` are
    links to show the total or a unit in the charts, `other_seed` shows the scenes of another seed. `unit` is the chosen
    unit, None for the total, and `unit_page` the address of its page. `orders` are the heads of the table of units,
    which sort it; `hidden` says how many units are not shown, `all_units` leads to all.
    """

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
