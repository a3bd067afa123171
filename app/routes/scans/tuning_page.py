"""The page of tuning curves: one chart a sweep with the scenes below it, every active unit, and what counts follow."""

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
from app.services.scans.service import OpenScan
from app.services.scans.tuning import Tuning
from app.services.services import Services
from app.settings import Settings
from app.web.charts import band_chart
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

UNITS = 24  # that the page shows at first


@dataclass(frozen=True)
class Words:
    """What a sweep is called, what its axis shows, and what a perfect count would do."""

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
    """The page's state: the unit in the charts in place of the total, which seed's scenes are shown, order of units."""

    model_config = ConfigDict(extra="ignore")

    unit: int | None = Field(None, ge=0, le=MAX_ID)
    seed: int = Field(0, ge=0, le=MAX_ID)
    sort: str = Field("mean", max_length=40)
    all: bool = False


@dataclass(frozen=True)
class Scene:
    """A scene of a sweep as the page shows it; `value` is what the first series counts at this level."""

    src: str
    href: str
    level: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SweepCard:
    """One sweep: its chart, what its series do, one seed's scenes, and the numbers."""

    name: str
    words: Words
    seeds: int
    chart: Markup | None
    effects: tuple[tuple[str, int, Effect], ...]  # name, colour, effect
    scenes: tuple[Scene, ...]
    rows: tuple[tuple[str, tuple[tuple[float, float, float], ...]], ...]  # level, and mean and band of each series


@dataclass(frozen=True)
class UnitRow:
    """One unit over all sweeps."""

    unit: int
    href: str
    chosen: bool
    mean: float
    cells: tuple[tuple[Markup, Effect], ...]


@dataclass(frozen=True)
class View:
    """The scan's tuning curves, and how links on their page are made."""

    found: Tuning
    params: TuningParams
    settings: Settings

    def link(self, **changes: object) -> str:
        """This page with one thing changed; None takes it away."""
        kept = {**self.params.model_dump(exclude_defaults=True), **changes}
        given = {name: int(value) if isinstance(value, bool) else value for name, value in kept.items() if value}
        if kept.get("unit") is not None:
            given["unit"] = kept["unit"]
        path = self.settings.url(f"/scans/{self.found.record.slug}/tuning")
        return f"{path}?{urlencode(given)}" if given else path

    def shown(self) -> list[tuple[str, int]]:
        """The series in the charts, by name and column: a unit, if one was chosen, in place of the total."""
        unit = self.params.unit
        series = [(name, place) for place, name in enumerate(self.found.series)]
        return series if unit is None else [(f"unit {unit}", self.found.unit_column(unit)), *series[1:]]

    def cards(self) -> list[SweepCard]:
        return [self._card(name, panel) for name, panel in self.found.panels.items()]

    def _card(self, name: str, panel: Panel) -> SweepCard:
        series = self.shown()
        columns = [points(panel.curves, place) for _, place in series]
        rows = [(said(level), tuple(found)) for level, *found in zip(panel.sweep.levels, *columns, strict=True)]
        return SweepCard(
            name=name,
            words=words_of(name),
            seeds=len(panel.sweep.seeds),
            chart=chart(name, panel, series) if panel.sweep.numeric else None,
            effects=tuple((label, at % 6 + 1, panel.effects[place]) for at, (label, place) in enumerate(series)),
            scenes=tuple(self._scenes(panel, series[0][1])),
            rows=tuple(rows),
        )

    def _scenes(self, panel: Panel, column: int) -> list[Scene]:
        record, sweep, means = self.found.record, panel.sweep, panel.curves
        line = sweep.rows[self.params.seed % len(sweep.seeds)]
        bench = self.settings.url(f"/checkpoints/{record.checkpoint}/count")
        return [
            Scene(
                thumbnail(self.settings, record.gallery, int(row)),
                f"{bench}?{urlencode({'gallery': record.gallery, 'row': int(row)})}",
                said(level),
                float(means.mean[at, column]),
                float(means.low[at, column]),
                float(means.high[at, column]),
            )
            for at, (row, level) in enumerate(zip(line, sweep.levels, strict=True))
        ]

    def units(self) -> list[UnitRow]:
        """The active units, in the order asked for."""
        rows = [self._unit(unit) for unit in self.found.units]
        names = list(self.found.panels)
        if self.params.sort == "unit":
            return rows
        if self.params.sort in names:
            place = names.index(self.params.sort)
            return sorted(rows, key=lambda row: -strength(row.cells[place][1]))
        return sorted(rows, key=lambda row: -row.mean)

    def _unit(self, unit: int) -> UnitRow:
        column = self.found.unit_column(unit)
        panels = self.found.panels.values()
        top = max(float(panel.curves.high[:, column].max()) for panel in panels)
        mean = float(np.mean([panel.curves.mean[:, column].mean() for panel in panels]))
        cells = []
        for name, panel in self.found.panels.items():
            label = f"unit {unit} along {words_of(name).short}"
            cells.append((spark(points(panel.curves, column), top=top, label=label), panel.effects[column]))
        return UnitRow(unit, self.link(unit=unit), unit == self.params.unit, mean, tuple(cells))


def show_tuning(request: Request, services: Services, scan: OpenScan, params: TuningParams) -> HTMLResponse:
    """All sweeps of one scan. Raises NotFound for a unit that is not active."""
    found = services.tuning.tuning(scan)
    view = View(found, params, services.settings)
    units = view.units()
    return page(
        request,
        "tuning.html",
        record=found.record,
        others=services.checkpoints.others(found.record.checkpoint),
        found=found,
        view=view,
        params=params,
        cards=view.cards(),
        units=units if params.all else units[:UNITS],
        hidden=0 if params.all else max(0, len(units) - UNITS),
        words=words_of,
        random_missing=found.random_scan is None and found.record.checkpoint != RANDOM_INIT,
    )


def words_of(name: str) -> Words:
    """A sweep's words; one that is new here is called by its name."""
    return WORDS.get(name, Words(name.replace("-", " ").capitalize(), name.replace("-", " "), "level", ""))


def strength(effect: Effect) -> float:
    """How much a value follows a factor, for sorting."""
    return abs(effect.rho.value) if effect.rho is not None else effect.explained or 0.0


def said(level: Level) -> str:
    """A level as text: 4, .25, brick."""
    return level if isinstance(level, str) else f"{level:g}"


def points(curves: SweepCurves, column: int) -> list[tuple[float, float, float]]:
    """Mean, low and high of one value at each level."""
    parts = (curves.mean[:, column], curves.low[:, column], curves.high[:, column])
    return [(float(mean), float(low), float(high)) for mean, low, high in zip(*parts, strict=True)]


def chart(name: str, panel: Panel, series: list[tuple[str, int]]) -> Markup:
    """The series along one sweep, each relative to its own mean, with what a perfect count would do."""
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
