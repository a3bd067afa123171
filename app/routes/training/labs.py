"""Addresses of the break-it labs: trainings that are broken on purpose, beside a sound one."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from app.deps import ServicesDep, SettingsDep
from app.routes.jobs.routes import job_json
from app.routes.training.labs_page import labs_context
from app.services.training.labs import LabRun, LabsView, labs_view, sound_sentence, start_lab
from app.settings import Settings
from app.web.responses import Json
from app.web.templating import page
from models.counting.labs import SOUND

router = APIRouter()

GalleryQuery = Annotated[str | None, Query(max_length=200)]
Slug = Annotated[str, Form(max_length=200)]


@router.get("/labs", include_in_schema=False)
def labs_page(
    request: Request, services: ServicesDep, settings: SettingsDep, gallery: GalleryQuery = None
) -> HTMLResponse:
    return page(request, labs_context(labs_view(services, gallery or None), settings))


@router.post("/labs/{lab}", include_in_schema=False)
def start_from_page(lab: str, gallery: Slug, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Start a lab on a gallery and show its job."""
    return RedirectResponse(settings.url(f"/jobs/{start_lab(services, lab, gallery).id}"), 303)


@router.get("/api/labs")
def labs(services: ServicesDep, settings: SettingsDep, gallery: GalleryQuery = None) -> Json:
    """The break-it labs, their newest runs on a gallery, and a verdict on each; a lab is a training with its recipe."""
    return Json(shape(labs_view(services, gallery or None), settings))


def shape(labs: LabsView, settings: Settings) -> dict[str, object]:
    """The labs as JSON."""
    return {
        "gallery": labs.gallery,
        "sound": {"recipe": SOUND, "verdict": sound_sentence(labs.sound), "run": _run(labs.sound, settings)},
        "labs": [
            {
                "recipe": item.lab.recipe,
                "title": item.lab.title,
                "broken": item.lab.broken,
                "expect": item.lab.expect,
                "changes": [{"setting": name, "sound": one, "lab": two} for name, one, two in item.changes],
                "verdict": item.verdict,
                "run": _run(item.run, settings),
            }
            for item in labs.labs
        ],
        "links": {"page": settings.url(f"/labs?gallery={labs.gallery}" if labs.gallery else "/labs")},
    }


def _run(run: LabRun | None, settings: Settings) -> dict[str, object] | None:
    if run is None:
        return None
    return {
        "job": job_json(run.job, settings),
        "step": run.step,
        "measures": dict(run.measures),
        "collapsed": run.collapsed if run.step is not None else None,
        "collapsed_at": run.collapsed_at,
        "unseen_kernel_error": run.unseen_error,
    }
