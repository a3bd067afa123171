"""The pages of units: the grid of a layer, and one unit with its top images."""

from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field

from app.routes.crops import Shot, shot
from app.services.services import Services
from app.services.units import Sort, Statistics, UnitDetail, UnitSummary
from app.settings import Settings
from app.web.charts import histogram
from app.web.templating import page

CROP = 72  # pixels a crop takes in a grid
LARGE = 150  # and on a unit's own page


class UnitParams(BaseModel):
    """A unit page's state: how many top images, with heat maps, one per source, and in which order units are walked."""

    model_config = ConfigDict(extra="ignore")

    k: int = Field(24, ge=1, le=1000)
    heat: bool = False
    per_source: bool = False
    sort: Sort = "unit"


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
        """The unit's heat map on an image."""
        path = f"/api/scans/{self.scan}/units/{self.layer}/{self.unit}/heatmap.png"
        return f"{self.settings.url(path)}?row={row}"


def show_units(
    request: Request, services: Services, scan: str, layer: str, *, sort: Sort, limit: int, cursor: str | None
) -> HTMLResponse:
    """All units of a layer, each with its best crops."""
    record, found = services.scans.get(scan), services.units.page(scan, layer, sort=sort, limit=limit, cursor=cursor)
    tiles = [_tile(services.settings, scan, layer, found.gallery, item, sort=sort, count=4) for item in found.units]
    return page(
        request,
        "units.html",
        record=record,
        layer=found.layer,
        found=found,
        tiles=tiles,
        sort=sort,
        limit=limit,
        first=cursor is None,
    )


def show_unit(
    request: Request, services: Services, scan: str, layer: str, unit: int, params: UnitParams
) -> HTMLResponse:
    """One unit. Images that do not fire it are left out."""
    settings = services.settings
    found = services.units.unit(scan, layer, unit, per_source=params.per_source)
    firing = [image for image in found.top if image.value > 0]
    view = UnitView(scan, layer, unit, params, settings)
    return page(
        request,
        "unit.html",
        record=services.scans.get(scan),
        found=found,
        view=view,
        params=params,
        shots=[shot(found.gallery, image, settings, shown=LARGE) for image in firing[: params.k]],
        firing=len(firing),
        has_sources=any(image.known.source is not None for image in found.top),
        walk=services.units.walk(scan, layer, unit, params.sort),
        chart=_chart(found),
        similar=_similar(services, found),
        trained_on=services.scans.trained_on(services.scans.get(scan)),
    )


def _similar(services: Services, found: UnitDetail) -> list[UnitTile]:
    units = [other.unit for other in found.similar]
    summaries = services.units.some(found.scan, found.layer.name, units, best=2)
    return [
        _tile(
            services.settings,
            found.scan,
            found.layer.name,
            found.gallery,
            item,
            count=2,
            note=f"r = {other.correlation:.2f}",
        )
        for item, other in zip(summaries, found.similar, strict=True)
    ]


def _tile(
    settings: Settings,
    scan: str,
    layer: str,
    gallery: str,
    item: UnitSummary,
    *,
    sort: Sort = "unit",
    count: int,
    note: str = "",
) -> UnitTile:
    href = _address(settings, scan, layer, item.unit, UnitParams(sort=sort), {})
    firing = [image for image in item.top[:count] if image.value > 0]
    shots = tuple(shot(gallery, image, settings, shown=CROP) for image in firing)
    return UnitTile(item.unit, href, shots, item.statistics, note)


def _chart(found: UnitDetail) -> Markup:
    """The histogram without the empty bins at its ends; the first bar is the silent images."""
    filled = np.flatnonzero(found.counts[1:]) + 1
    first, last = (int(filled[0]), int(filled[-1])) if len(filled) else (1, 1)
    return histogram(
        [0.0, *found.edges[first : last + 2].tolist()],
        [int(found.counts[0]), *found.counts[first : last + 1].tolist()],
        label=f"Values of {found.address}",
        x_label="largest value in the image; the first bar is the images that leave it silent",
        y_label="images, on a log scale",
        even=True,
        log_y=True,
    )


def _address(
    settings: Settings, scan: str, layer: str, unit: int, params: UnitParams, changes: dict[str, object]
) -> str:
    kept = {**params.model_dump(exclude_defaults=True), **changes}
    given = {name: int(value) if isinstance(value, bool) else value for name, value in kept.items() if value}
    path = settings.url(f"/scans/{scan}/units/{layer}/{unit}")
    return f"{path}?{urlencode(given)}" if given else path
