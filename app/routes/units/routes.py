"""Addresses of units: all units of a layer, one unit, its heat maps; pages and their JSON twins."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from app.deps import MAX_ID, LimitQuery, ServicesDep, SettingsDep, UnitPath
from app.opened import ScanDep
from app.routes.units.pages import GridParams, show_units
from app.routes.units.shapes import unit_json, units_json
from app.routes.units.tiles import UnitParams
from app.routes.units.unit_page import show_one_unit
from app.services.galleries.seen import Which
from app.services.units import heat as heat_pictures
from app.services.units.service import Sort
from app.web.responses import Json, answers

router = APIRouter()

CursorQuery = Annotated[str | None, Query(max_length=64)]
RowQuery = Annotated[int, Query(ge=0, le=MAX_ID)]
SeedQuery = Annotated[int, Query(ge=0, le=MAX_ID)]
HEAT = {"Cache-Control": "private, max-age=3600"}


@router.get("/api/scans/{scan}/units/{layer}")
def list_units(
    scan: ScanDep,
    layer: str,
    services: ServicesDep,
    settings: SettingsDep,
    sort: Sort = "unit",
    limit: LimitQuery = 50,
    cursor: CursorQuery = None,
    per_source: bool = True,
    seen: Which = "unseen",
) -> Json:
    """Units of a layer by number, or by a statistic, largest first; each with its top images, one of each source."""
    found = services.units.page(scan, layer, sort=sort, limit=limit, cursor=cursor, per_source=per_source, which=seen)
    return Json(units_json(scan.slug, found, settings))


@router.get("/api/scans/{scan}/units/{layer}/{unit}")
def show_unit(
    scan: ScanDep,
    layer: str,
    unit: UnitPath,
    services: ServicesDep,
    settings: SettingsDep,
    per_source: bool = True,
    seen: Which = "unseen",
    seed: SeedQuery = 0,
) -> Json:
    """A unit's statistics, histogram and images of its whole range; `per_source`: at most one of each source."""
    found = services.units.unit(scan, layer, unit, per_source=per_source, which=seen, seed=seed)
    return Json(unit_json(found, settings))


@router.get("/api/scans/{scan}/units/{layer}/{unit}/heatmap")
def heatmap(scan: ScanDep, layer: str, unit: UnitPath, row: RowQuery, services: ServicesDep) -> Json:
    """The unit's map (h, w) on an image, after its ReLU, and the box of the image that the network saw."""
    found = services.units.heatmap(scan, layer, unit, row)
    values, crop = found.heat.values, [float(edge) for edge in found.heat.crop]
    scale = {"max": found.highest}
    return Json({"layer": layer, "unit": unit, "row": row, "values": values.tolist(), "box": crop, "scale": scale})


@router.get(
    "/api/scans/{scan}/units/{layer}/{unit}/heatmap.png", response_class=Response, responses=answers("image/png")
)
def heatmap_png(
    scan: ScanDep, layer: str, unit: UnitPath, row: RowQuery, services: ServicesDep, smooth: bool = False
) -> Response:
    """The heat map as a picture of the stored image's size; its scale ends at the unit's largest value in the scan."""
    picture = heat_pictures.png(services.units.heatmap(scan, layer, unit, row), smooth=smooth)
    return Response(picture, media_type="image/png", headers=HEAT)


@router.get("/scans/{scan}/units/{layer}", include_in_schema=False)
def units_page(
    request: Request,
    scan: ScanDep,
    layer: str,
    services: ServicesDep,
    sort: Sort = "unit",
    limit: LimitQuery = 60,
    cursor: CursorQuery = None,
    per_source: bool = True,
    seen: Which = "unseen",
) -> HTMLResponse:
    found = services.units.page(scan, layer, sort=sort, limit=limit, cursor=cursor, per_source=per_source, which=seen)
    params = GridParams(sort, limit, cursor is None, per_source, seen)
    return show_units(request, services, scan, found, params)


@router.get("/scans/{scan}/units/{layer}/{unit}", include_in_schema=False)
def unit_page(
    request: Request,
    scan: ScanDep,
    layer: str,
    unit: UnitPath,
    services: ServicesDep,
    params: Annotated[UnitParams, Query()],
) -> HTMLResponse:
    return show_one_unit(request, services, scan, layer, unit, params)
