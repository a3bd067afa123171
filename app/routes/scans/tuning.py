"""Addresses of a scan's tuning curves over generated scenes: the page, its JSON twin, and scans that it needs."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from app.deps import ServicesDep, SettingsDep
from app.opened import ScanDep
from app.routes.scans.tuning_page import TuningParams, show_tuning
from app.services.scans.tuning import Correlated, Tuning
from app.settings import Settings
from app.web.responses import Json
from models.counting.partial import Follows
from models.counting.sweeps import SweepCurves
from models.counting.tuning import Effect, Panel
from models.random_init import NAME as RANDOM_INIT
from models.statistics import Estimate

router = APIRouter()
Shape = dict[str, object]


@router.get("/api/scans/{scan}/tuning")
def tuning(scan: ScanDep, services: ServicesDep, settings: SettingsDep) -> Json:
    """How the total and every active unit respond to each factor of generated scenes, beside edge energy and chance."""
    return Json(tuning_json(services.tuning.tuning(scan), settings))


@router.get("/scans/{scan}/tuning", include_in_schema=False)
def tuning_page(
    request: Request, scan: ScanDep, services: ServicesDep, params: Annotated[TuningParams, Query()]
) -> HTMLResponse:
    return show_tuning(request, services, scan, params)


@router.post("/scans/{scan}/tuning/random-init", include_in_schema=False)
def scan_random_init(scan: ScanDep, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Scan the untrained network over the same gallery, to show it beside this one."""
    job, _ = services.jobs.submit("scan", {"checkpoint": RANDOM_INIT, "gallery": scan.gallery})
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)


@router.post("/scans/{scan}/tuning/measure", include_in_schema=False)
def measure_scenes(scan: ScanDep, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Run a scan that was made without edge energy once more; only what is missing is computed."""
    job, _ = services.jobs.submit("scan", scan.spec, again=True)
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)


def tuning_json(found: Tuning, settings: Settings) -> Shape:
    """The numbers of the page; `values` of a series are means over the seeds of a sweep, one for each level."""
    names = [*found.series, *(f"unit {unit}" for unit in found.units)]
    here = f"/api/scans/{found.record.slug}"
    return {
        "scan": found.record.slug,
        "sentences": list(found.sentences()),
        "series": names,
        "active_units": list(found.units),
        "sweeps": {name: _sweep(panel, names) for name, panel in found.panels.items()},
        "empty_ground": {name: estimate_json(one.empty) for name, one in zip(names, found.responses, strict=True)},
        "mixed": {"n": found.mixed, "correlations": [_correlated(one) for one in found.correlated]},
        "random_init": found.random_scan,
        "links": {
            "self": settings.url(f"{here}/tuning"),
            "page": settings.url(f"/scans/{found.record.slug}/tuning"),
            "scan": settings.url(here),
            "gallery": settings.url(f"/api/galleries/{found.record.gallery}"),
        },
    }


def estimate_json(found: Estimate | None) -> Shape | None:
    """A value and its 95 % interval."""
    return None if found is None else {"value": found.value, "interval": [found.low, found.high]}


def _sweep(panel: Panel, names: list[str]) -> Shape:
    return {
        "levels": list(panel.sweep.levels),
        "seeds": len(panel.sweep.seeds),
        "rows": panel.sweep.rows.tolist(),
        "series": {name: _series(panel.curves, panel.effects[place], place) for place, name in enumerate(names)},
    }


def _series(curves: SweepCurves, effect: Effect, place: int) -> Shape:
    return {
        "values": curves.mean[:, place].tolist(),
        "low": curves.low[:, place].tolist(),
        "high": curves.high[:, place].tolist(),
        "rho": estimate_json(effect.rho),
        "explained": effect.explained,
        "power": estimate_json(effect.power),
    }


def _correlated(found: Correlated) -> Shape:
    return {
        "name": found.name,
        "unit": found.unit,
        "n": found.n,
        **{name.replace(" ", "_"): _follows(one) for name, one in found.follows.items()},
    }


def _follows(found: Follows) -> Shape:
    return {"spearman": estimate_json(found.alone), "partial": estimate_json(found.partial)}
