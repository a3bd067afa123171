"""The page of tuning curves: a chart for each sweep with its scenes, every active unit, and what the counts follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field

from app.deps import MAX_ID
from app.routes.pictures import thumbnail
from app.routes.scans.tuning_context import (
    Banded,
    CorrelatedRow,
    CorrelatedTable,
    EffectRow,
    Interval,
    Scene,
    SweepCard,
    TunedUnitCell,
    TunedUnitRow,
    TuningContext,
)
from app.services.scans.service import OpenScan
from app.services.scans.tuning import Tuning
from app.services.services import Services
from app.settings import Settings
from app.web.charts import band_chart
from app.web.choices import Choice
from app.web.formats import count, number, percent
from app.web.sparks import spark
from app.web.templating import page
from models.counting.sweeps import Level, SweepCurves
from models.counting.tuning import (
    CONTRAST,
    EMPTY,
    NUMBER,
    NUMBER_AND_AREA,
    OVERLAP,
    PLACE,
    SIZE,
    Effect,
    Panel,
    numbers,
)
from models.random_init import NAME as RANDOM_INIT
from models.statistics import Estimate

UNITS = 24  # so many are shown at first


@dataclass(frozen=True)
class Words:
    """The titles of a sweep, what its axis shows, and what a perfect count would do along it."""

    title: str
    short: str
    axis: str
    counter: str


STAYS = "a count stays level"
WORDS: Mapping[str, Words] = {
    NUMBER_AND_AREA: Words("Number, objects of one size", "number, size fixed", "objects", "a count doubles with it"),
    NUMBER: Words("Number, one total area", "number, area fixed", "objects", "a count doubles with it"),
    SIZE: Words("Size of one object", "size", "longer side, share of the picture", STAYS),
    CONTRAST: Words("Contrast", "contrast", "contrast of the objects, 1 as drawn", STAYS),
    PLACE: Words("Place across the tile cross", "place", "from the cross, in sizes of the object", STAYS),
    OVERLAP: Words("Overlap of two objects", "overlap", "share of the farther one that is hidden", STAYS),
    EMPTY: Words("Empty ground", "empty ground", "ground", "a count is 0"),
}


class TuningParams(BaseModel):
    """The parameters of the page.

    `unit` is shown in the charts instead of the total, `seed` chooses the scenes that are shown, `sort` orders the
    units.
    """

    model_config = ConfigDict(extra="ignore")

    unit: int | None = Field(None, ge=0, le=MAX_ID)
    seed: int = Field(0, ge=0, le=MAX_ID)
    sort: str = Field("mean", max_length=40)
    all: bool = False


@dataclass(frozen=True)
class TuningView:
    """The tuning curves of a scan and the parameters of their page, from which its links are made."""

    found: Tuning
    params: TuningParams
    settings: Settings

    def link(self, **changes: object) -> str:
        """The address of this page with some of its parameters changed; a change to None drops one."""
        kept = {**self.params.model_dump(exclude_defaults=True), **changes}
        given = {name: int(value) if isinstance(value, bool) else value for name, value in kept.items() if value}
        if kept.get("unit") is not None:
            given["unit"] = kept["unit"]
        path = self.settings.url(f"/scans/{self.found.record.slug}/tuning")
        return f"{path}?{urlencode(given)}" if given else path

    @property
    def series(self) -> list[tuple[str, int]]:
        """The name and the column of each series in the charts; a chosen unit stands in the place of the total."""
        unit = self.params.unit
        series = [(name, place) for place, name in enumerate(self.found.series)]
        return series if unit is None else [(f"unit {unit}", self.found.unit_column(unit)), *series[1:]]


def show_tuning(request: Request, services: Services, scan: OpenScan, params: TuningParams) -> HTMLResponse:
    """The page with all sweeps of one scan. Raises NotFound for a unit that is not active."""
    found = services.tuning.tuning(scan)
    view, unit = TuningView(found, params, services.settings), params.unit
    scan_page = services.settings.url(f"/scans/{scan.slug}")
    cards = [_card(view, name, panel) for name, panel in found.panels.items()]
    units = _units(view)
    hidden = 0 if params.all else max(0, len(units) - UNITS)
    shown = [Choice("the total", view.link(unit=None), unit is None)]
    return page(
        request,
        TuningContext(
            scan=scan.slug,
            scan_page=scan_page,
            checkpoint=scan.record.checkpoint,
            gallery=scan.gallery,
            others=services.checkpoints.others(scan.checkpoint.slug),
            sentences=list(found.sentences()),
            measured=found.measured,
            random_missing=found.random_scan is None and scan.record.checkpoint != RANDOM_INIT,
            shown=shown if unit is None else [*shown, Choice(f"unit {unit}", view.link(), True)],
            other_seed=view.link(seed=params.seed + 1),
            unit=unit,
            unit_page=f"{scan_page}/units/counts/{unit}" if unit is not None and "counts" in scan.record.layers else "",
            active=number(len(found.units)),
            who="Total" if unit is None else f"Unit {unit}",
            cards=cards,
            orders=[_order(view, name, words) for name, words in _heads(found)],
            units=units if params.all else units[:UNITS],
            hidden=count(hidden, "more unit") if hidden else "",
            all_units=view.link(all=True) + "#units",
            correlated=_correlated(view) if found.correlated else None,
        ),
    )


def _card(view: TuningView, name: str, panel: Panel) -> SweepCard:
    series, words = view.series, words_of(name)
    scenes = _scenes(view, panel, series[0][1], "" if not panel.sweep.numeric else f"{words.title}, ")
    effects = [
        EffectRow(
            label,
            at % 6 + 1,
            _interval(panel.effects[place].rho),
            _interval(panel.effects[place].power),
            _share(panel.effects[place].explained),
        )
        for at, (label, place) in enumerate(series)
    ]
    columns = [points(panel.curves, place) for _, place in series]
    seeds = len(panel.sweep.seeds)
    return SweepCard(
        name=name,
        title=words.title,
        axis=words.axis,
        note=f"{len(scenes)} levels × {seeds} seeds" + (f"; {words.counter}" if words.counter else ""),
        seeds=seeds,
        chart=chart(name, panel, series) if panel.sweep.numeric else None,
        effects=effects,
        scenes=scenes,
        explained=", ".join(f"{row.explained} in {row.name}" for row in effects),
        rows=[
            (said(level), [_banded(three) for three in found])
            for level, *found in zip(panel.sweep.levels, *columns, strict=True)
        ],
    )


def _scenes(view: TuningView, panel: Panel, column: int, what: str) -> list[Scene]:
    """The scenes of one seed, by level; if levels are names, those that are counted highest come first."""
    record, sweep, means, settings = view.found.record, panel.sweep, panel.curves, view.settings
    line = sweep.rows[view.params.seed % len(sweep.seeds)]
    bench = settings.url(f"/checkpoints/{record.checkpoint}/count")
    places = list(range(len(sweep.levels)))
    if not sweep.numeric:
        places.sort(key=lambda at: -float(means.mean[at, column]))
    return [
        Scene(
            thumbnail(settings, record.gallery, int(line[at])),
            f"{bench}?{urlencode({'gallery': record.gallery, 'row': int(line[at])})}",
            f"{what}{said(sweep.levels[at])}",
            said(sweep.levels[at]),
            number(float(means.mean[at, column]), 2),
            f"{number(max(float(means.low[at, column]), 0.0), 2)}–{number(float(means.high[at, column]), 2)}",
        )
        for at in places
    ]


def _units(view: TuningView) -> list[TunedUnitRow]:
    """The active units in the order that was asked for."""
    found, sort = view.found, view.params.sort
    means = {unit: _mean(found, unit) for unit in found.units}
    ordered = list(found.units)
    if sort in found.panels:
        ordered.sort(key=lambda unit: -strength(found.panels[sort].effects[found.unit_column(unit)]))
    elif sort != "unit":
        ordered.sort(key=lambda unit: -means[unit])
    return [_unit(view, unit, means[unit]) for unit in ordered]


def _mean(found: Tuning, unit: int) -> float:
    column = found.unit_column(unit)
    return float(np.mean([panel.curves.mean[:, column].mean() for panel in found.panels.values()]))


def _unit(view: TuningView, unit: int, mean: float) -> TunedUnitRow:
    column, panels = view.found.unit_column(unit), view.found.panels
    top = max(float(panel.curves.high[:, column].max()) for panel in panels.values())
    cells = []
    for name, panel in panels.items():
        label, effect = f"unit {unit} along {words_of(name).short}", panel.effects[column]
        drawing = spark(points(panel.curves, column), top=top, label=label)
        words = _share(effect.explained) if effect.rho is None else f"ρ {_two(effect.rho.value)}"
        power = "" if effect.power is None else f" ^{_two(effect.power.value)}"
        rho = effect.rho
        cells.append(TunedUnitCell(drawing, words, power, rho is not None, rho is not None and bool(rho.sign)))
    return TunedUnitRow(unit, view.link(unit=unit), unit == view.params.unit, number(mean, 2), cells)


def _heads(found: Tuning) -> list[tuple[str, str]]:
    return [("unit", "Unit"), ("mean", "Mean"), *((name, words_of(name).short) for name in found.panels)]


def _order(view: TuningView, name: str, words: str) -> Choice:
    """A head of the table of units, which sorts the table."""
    return Choice(words, view.link(sort=name) + "#units", view.params.sort == name)


def _correlated(view: TuningView) -> CorrelatedTable:
    found = view.found.correlated
    rows = [
        CorrelatedRow(
            one.name,
            "" if one.unit is None else view.link(unit=one.unit),
            number(one.n),
            [(_interval(follows.alone), _interval(follows.partial)) for follows in one.follows.values()],
        )
        for one in found
    ]
    return CorrelatedTable(list(found[0].follows), rows, sum(bool(one.unit) for one in found))


def _interval(one: Estimate | None) -> Interval | None:
    return None if one is None else Interval(_two(one.value), _two(one.low), _two(one.high), bool(one.sign))


def _two(value: float) -> str:
    """A number with two decimals and a true minus sign, never `-0.00`."""
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def _share(value: float | None) -> str:
    return "–" if value is None else percent(max(value, 0.0))


def _banded(three: tuple[float, float, float]) -> Banded:
    mean, low, high = three
    return Banded(number(mean), f"[{number(low)}, {number(high)}]")


def words_of(name: str) -> Words:
    """The words for a sweep, made from its name if there are none here."""
    return WORDS.get(name, Words(name.replace("-", " ").capitalize(), name.replace("-", " "), "level", ""))


def strength(effect: Effect) -> float:
    """How strongly a value follows a factor, for sorting."""
    return abs(effect.rho.value) if effect.rho is not None else effect.explained or 0.0


def said(level: Level) -> str:
    """A level as text, such as 4, 0.25 or brick."""
    return level if isinstance(level, str) else f"{level:g}"


def points(curves: SweepCurves, column: int) -> list[tuple[float, float, float]]:
    """Mean, low and high of one value at each level."""
    parts = (curves.mean[:, column], curves.low[:, column], curves.high[:, column])
    return [(float(mean), float(low), float(high)) for mean, low, high in zip(*parts, strict=True)]


def chart(name: str, panel: Panel, series: list[tuple[str, int]]) -> Markup:
    """The series along one sweep, each divided by its own mean, beside what a perfect count would do."""
    levels = numbers(panel.sweep)
    banded = {
        label: [(float(x), *three) for x, three in zip(levels, points(panel.relative, place), strict=True)]
        for label, place in series
    }
    counted = levels / levels.mean() if name in (NUMBER, NUMBER_AND_AREA) else np.ones(len(levels))
    return band_chart(
        banded,
        ticks=[(float(level), said(float(level))) for level in levels],
        guide=list(zip(levels.tolist(), counted.tolist(), strict=True)),
        label=f"{words_of(name).title}: {', '.join(banded)}",
        x_label=words_of(name).axis,
        y_label="relative to its own mean",
    )
