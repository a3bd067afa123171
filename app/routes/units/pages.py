"""The pages of units: the grid of a layer, and one unit with images of its whole range."""

from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field

from app.deps import MAX_ID
from app.routes.crops import Shot, shot
from app.routes.pictures import thumbnail
from app.services.galleries.seen import Which
from app.services.scans.service import OpenScan
from app.services.services import Services
from app.services.units.growth import can_grow, unit_growth
from app.services.units.images import UnitRow
from app.services.units.service import Sort, Statistics, UnitDetail, UnitsPage, UnitSummary, has_sources
from app.settings import Settings
from app.web.charts import histogram
from app.web.templating import page

CROP = 72  # pixels a crop takes in a grid
LARGE = 150  # and on a unit's own page
TICKS = 6  # on the histogram's axis


class UnitParams(BaseModel):
    """A unit page's state: how many top images, heat maps, one per source, the draw, the order units are walked in."""

    model_config = ConfigDict(extra="ignore")

    k: int = Field(12, ge=1, le=1000)
    heat: bool = False
    smooth: bool = False
    per_source: bool = True
    seen: Which = "unseen"
    sort: Sort = "unit"
    seed: int = Field(0, ge=0, le=MAX_ID)
    at: int | None = Field(None, ge=0, le=MAX_ID)  # a step of the training


@dataclass(frozen=True)
class GridParams:
    """The state of a layer's grid; `first`: without a cursor."""

    sort: Sort
    limit: int
    first: bool
    per_source: bool
    seen: Which


@dataclass(frozen=True)
class RowView:
    """Some images of a unit's range: what they are, the rule they were chosen by, and what can be done about it."""

    title: str
    rule: str
    shots: tuple[Shot, ...]
    again: str = ""


@dataclass(frozen=True)
class UnitTile:
    """A unit in a grid with its best crops; `note` is what it is listed for."""

    unit: int
    href: str
    shots: tuple[Shot, ...]
    statistics: Statistics
    note: str = ""


@dataclass(frozen=True)
class UnitView:
    """One unit's address, and how its links are made."""

    scan: str
    layer: str
    unit: int
    params: UnitParams
    settings: Settings

    def link(self, **changes: object) -> str:
        """This page with one thing changed."""
        return _address(self.settings, self.scan, self.layer, self.unit, self.params, changes)

    def other(self, unit: int | None) -> str:
        """The same page of another unit; empty where there is none."""
        return _address(self.settings, self.scan, self.layer, unit, self.params, {}) if unit is not None else ""

    def heat(self, row: int) -> str:
        """The unit's heat map on an image; empty where none are shown."""
        if not self.params.heat:
            return ""
        path = f"/api/scans/{self.scan}/units/{self.layer}/{self.unit}/heatmap.png"
        return f"{self.settings.url(path)}?row={row}" + ("&smooth=1" if self.params.smooth else "")

    def neighbours(self, row: int) -> str:
        """The images nearest to one in this layer."""
        return f"{self.settings.url(f'/scans/{self.scan}/search')}?row={row}&layer={self.layer}"


def show_units(
    request: Request, services: Services, scan: OpenScan, found: UnitsPage, params: GridParams
) -> HTMLResponse:
    """All units of a layer, each with its best crops."""
    layer = found.layer.name
    kept = UnitParams(sort=params.sort, per_source=params.per_source, seen=params.seen)
    return page(
        request,
        "units.html",
        record=scan.record,
        others=services.checkpoints.others(scan.checkpoint.slug),
        layer=found.layer,
        found=found,
        tiles=[_tile(services.settings, scan.slug, layer, found.gallery, item, kept, count=4) for item in found.units],
        known=scan.info.regions,
        has_sources=has_sources(scan),
        params=params,
        seen=services.search_aids.seen(scan),
    )


def show_unit(
    request: Request, services: Services, scan: OpenScan, layer: str, unit: int, params: UnitParams
) -> HTMLResponse:
    """One unit. Images that do not fire it are left out of its best."""
    settings = services.settings
    found = services.units.unit(scan, layer, unit, per_source=params.per_source, which=params.seen, seed=params.seed)
    firing = [image for image in found.top if image.value > 0]
    view = UnitView(scan.slug, layer, unit, params, settings)
    return page(
        request,
        "unit.html",
        record=scan.record,
        others=services.checkpoints.others(scan.checkpoint.slug),
        found=found,
        view=view,
        params=params,
        shots=[shot(found.gallery, image, settings, shown=LARGE, tight=False) for image in firing[: params.k]],
        firing=len(firing),
        rows=[_row_view(found, row, view) for row in found.rows if row.name != "top"],
        region=_size(firing[0].region) if firing and firing[0].region else None,
        walk=services.units.walk(scan, layer, unit, params.sort),
        chart=_chart(found),
        similar=_similar(services, scan, found),
        overlapping=_overlapping(services, scan, found),
        seen=services.search_aids.seen(scan),
        growth=unit_growth(scan, layer, unit, params.at),
        can_grow=can_grow(scan.checkpoint),
        thumbnail=lambda row: thumbnail(settings, found.gallery, row),
    )


def _row_view(found: UnitDetail, row: UnitRow, view: UnitView) -> RowView:
    """A row in words."""
    shots = tuple(shot(found.gallery, image, view.settings, shown=CROP, tight=False) for image in row.images)
    fire, level = f"the {row.among:,} images that fire it", "–" if row.level is None else f"{row.level:.3g}"
    match row.name:
        case "p90":
            return RowView("90th percentile", f"of {fire}, 9 in 10 have at most {level}", shots)
        case "median":
            return RowView("Median", f"of {fire}, half have at most {level}", shots)
        case "zero":
            return RowView("Silent", f"drawn from the {row.among:,} images that it answers with 0 or less", shots)
        case _:
            again = view.link(seed=view.params.seed + 1) + "#range"
            return RowView("Random", f"drawn from {row.among:,} images", shots, again)


def _size(box: tuple[float, float, float, float]) -> str:
    return f"{box[2] - box[0]:.0f} × {box[3] - box[1]:.0f}"


def _similar(services: Services, scan: OpenScan, found: UnitDetail) -> list[UnitTile]:
    notes = {other.unit: f"r = {other.correlation:.2f}" for other in found.similar}
    return _others(services, scan, found, notes)


def _overlapping(services: Services, scan: OpenScan, found: UnitDetail) -> list[UnitTile]:
    notes = {other.unit: f"{other.shared} shared, {other.jaccard:.2f}" for other in found.overlaps.most}
    return _others(services, scan, found, notes)


def _others(services: Services, scan: OpenScan, found: UnitDetail, notes: dict[int, str]) -> list[UnitTile]:
    """Other units of the layer with what they are listed for."""
    layer = found.layer.name
    summaries = services.units.some(scan, layer, list(notes), best=2)
    return [
        _tile(services.settings, found.scan, layer, found.gallery, item, UnitParams(), count=2, note=notes[item.unit])
        for item in summaries
    ]


def _tile(
    settings: Settings,
    scan: str,
    layer: str,
    gallery: str,
    item: UnitSummary,
    params: UnitParams,
    *,
    count: int,
    note: str = "",
) -> UnitTile:
    href = _address(settings, scan, layer, item.unit, params, {})
    firing = [image for image in item.top[:count] if image.value > 0]
    shots = tuple(shot(gallery, image, settings, shown=CROP) for image in firing)
    return UnitTile(item.unit, href, shots, item.statistics, note)


def _chart(found: UnitDetail) -> Markup:
    """The histogram without the empty bins at its ends, exact zeros apart, both axes logarithmic."""
    filled = np.flatnonzero(found.counts[1:]) + 1
    first, last = (int(filled[0]), int(filled[-1])) if len(filled) else (1, 1)
    edges = [float(edge) for edge in found.edges[first : last + 2]]
    return histogram(
        edges,
        [int(count) for count in found.counts[first : last + 1]],
        zero=int(found.counts[0]),
        ticks=_ticks(edges[0], edges[-1]),
        label=f"Values of {found.address}",
        x_label="largest value in the image, on a log scale",
        y_label="images, on a log scale",
        even=True,
        log_y=True,
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round values 1, 2, 5 x 10^n between two, thinned to about TICKS."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    found = [step * 10.0**power for power in powers for step in (1, 2, 5) if low <= step * 10.0**power <= high]
    tens = [10.0**power for power in powers if low <= 10.0**power <= high]
    kept = found if len(found) <= TICKS else tens
    return kept[:: max(1, -(-len(kept) // TICKS))]


def _address(
    settings: Settings, scan: str, layer: str, unit: int, params: UnitParams, changes: dict[str, object]
) -> str:
    usual = UnitParams()
    kept = {**params.model_dump(), **changes}
    given = {
        name: int(value) if isinstance(value, bool) else value
        for name, value in kept.items()
        if value is not None and value != getattr(usual, name)
    }
    path = settings.url(f"/scans/{scan}/units/{layer}/{unit}")
    return f"{path}?{urlencode(given)}" if given else path
