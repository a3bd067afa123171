"""Tuning curves of a scan over generated scenes: the page and its JSON twin."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from app.deps import ServicesDep, SettingsDep
from app.routes.scans.tuning_page import TuningParams, show_tuning
from app.routes.tuning_json import tuning_json
from app.web.responses import Json
from models.random_init import NAME as RANDOM_INIT

router = APIRouter()


@router.get("/api/scans/{scan}/tuning")
def tuning(scan: str, services: ServicesDep, settings: SettingsDep) -> Json:
    """How the total and every active unit answer to each factor of generated scenes, beside edge energy and chance."""
    return Json(tuning_json(services.tuning.tuning(scan), settings))


@router.get("/scans/{scan}/tuning", include_in_schema=False)
def tuning_page(
    request: Request, scan: str, services: ServicesDep, params: Annotated[TuningParams, Query()]
) -> HTMLResponse:
    return show_tuning(request, services, scan, params)


@router.post("/scans/{scan}/tuning/random-init", include_in_schema=False)
def scan_random_init(scan: str, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Scan the untrained network over the same gallery, so that it can stand beside this one."""
    gallery = services.scans.get(scan).gallery
    job, _ = services.jobs.submit("scan", {"checkpoint": RANDOM_INIT, "gallery": gallery})
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)


@router.post("/scans/{scan}/tuning/measure", include_in_schema=False)
def measure_scenes(scan: str, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Run a scan that was made without edge energy once more: only what is missing is computed."""
    job, _ = services.jobs.submit("scan", services.scans.spec(scan), again=True)
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)
