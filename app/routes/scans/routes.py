"""Addresses of scans: the list, the overview of one, and the forms that start and extend them."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from app.deps import LimitQuery, ServicesDep, SettingsDep
from app.opened import ScanDep
from app.routes.scans import pages as scan_pages
from app.routes.scans.scan_page import show_overview
from app.routes.scans.shapes import overview_json, scan_json, seen_json
from app.web.responses import Json

router = APIRouter()

CursorQuery = Annotated[str | None, Query(max_length=64)]
Slug = Annotated[str, Form(max_length=200)]


@router.get("/api/scans")
def list_scans(
    services: ServicesDep, settings: SettingsDep, limit: LimitQuery = 50, cursor: CursorQuery = None
) -> Json:
    """Finished scans of the workspace, newest first."""
    found = services.scans.list(limit=limit, cursor=cursor)
    return Json({"scans": [scan_json(record, settings) for record in found.scans], "next": found.next})


@router.get("/api/scans/{scan}")
def show_scan(scan: ScanDep, services: ServicesDep, settings: SettingsDep) -> Json:
    """Layers with statistics, average count vector, ranking by magnitude, how well the counting equation holds."""
    overview = overview_json(scan.record, scan.info, services.scans.overview(scan), settings)
    return Json({**overview, "seen": seen_json(services.search_aids.seen(scan))})


@router.get("/scans", include_in_schema=False)
def scans_page(
    request: Request, services: ServicesDep, limit: LimitQuery = 50, cursor: CursorQuery = None
) -> HTMLResponse:
    return scan_pages.show_scans(request, services, limit=limit, cursor=cursor)


@router.post("/scans", include_in_schema=False)
def start_scan(checkpoint: Slug, gallery: Slug, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Scan a checkpoint over a gallery, all layers."""
    job, _ = services.jobs.submit("scan", {"checkpoint": checkpoint, "gallery": gallery})
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)


@router.post("/scans/{scan}/extend", include_in_schema=False)
def extend_scan(scan: ScanDep, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Scan the images that the gallery got since, with the same settings."""
    job, _ = services.jobs.submit("scan", scan.spec)
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)


@router.post("/scans/{scan}/again", include_in_schema=False)
def scan_again(scan: ScanDep, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Scan once more with the same settings, for scans of older versions that lack some results."""
    job, _ = services.jobs.submit("scan", scan.spec, again=True)
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)


@router.get("/scans/{scan}", include_in_schema=False)
def scan_page(request: Request, scan: ScanDep, services: ServicesDep) -> HTMLResponse:
    return show_overview(request, services, scan)
