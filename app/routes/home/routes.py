"""The first screen, as the page `/` and its JSON twin `/api`, and the buttons of its next steps."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from app.deps import CountImageDep, ServicesDep, SettingsDep
from app.failures import Conflict
from app.jobs.records import JobRecord
from app.routes.home.pages import home_context
from app.routes.home.panels import HomeParams, first_look
from app.routes.home.shapes import panels_json
from app.services.home.first_screen import counting_checkpoint
from app.services.home.workspace import CheckpointItem, GalleryItem, ScanItem, WorkspaceOverview, WorkspaceService
from app.services.jobs.submissions.import_images import NewGallery, SampleFrom
from app.services.jobs.view import view
from app.settings import Settings
from app.web.json_times import rfc3339
from app.web.responses import Json
from app.web.templating import page

router = APIRouter()

SAMPLE = "sample-photos"

Slug = Annotated[str, Form(max_length=200)]
Home = Annotated[HomeParams, Query()]
Target = Annotated[Literal["count", "home"], Query()]


@router.get("/", include_in_schema=False)
def home(request: Request, params: Home, services: ServicesDep, settings: SettingsDep) -> HTMLResponse:
    """The first screen, with the workspace below it."""
    overview = WorkspaceService(services.store).overview()
    look = first_look(services, settings, params)
    others = [] if look is None else services.checkpoints.others(look.stage.checkpoint.slug)
    return page(request, home_context(overview, look, others, settings))


@router.get("/api")
def workspace(params: Home, services: ServicesDep, settings: SettingsDep) -> Json:
    """Counts and the newest of each kind, the next step, and the panels: what a network makes of one image."""
    look = first_look(services, settings, params)
    panels = None if look is None else panels_json(look)
    return Json({**shape(WorkspaceService(services.store).overview(), settings), "panels": panels})


@router.post("/photo", include_in_schema=False)
def own_photo(
    image: CountImageDep, services: ServicesDep, settings: SettingsDep, to: Target = "count"
) -> RedirectResponse:
    """Keep a visitor's photo and lead to the counting bench with it, or to the first screen about it."""
    upload = services.uploads.add(image.data or b"")
    checkpoint = counting_checkpoint(services)
    if checkpoint is None:
        raise Conflict("nothing_counts", "There is no network that counts yet: train one, then bring your photo.")
    path = "/" if to == "home" else f"/checkpoints/{checkpoint}/count"
    return RedirectResponse(settings.url(f"{path}?upload={upload}"), status_code=303)


@router.post("/start/sample", include_in_schema=False)
def start_sample(services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Import the built-in sample gallery."""
    submitted = services.galleries.create(NewGallery(name=SAMPLE, source=SampleFrom(kind="sample")))
    return RedirectResponse(settings.url(f"/jobs/{submitted.job.id}"), status_code=303)


@router.post("/start/scan", include_in_schema=False)
def start_scan(checkpoint: Slug, gallery: Slug, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Scan a gallery with a checkpoint, all layers."""
    job, _ = services.jobs.submit("scan", {"checkpoint": checkpoint, "gallery": gallery})
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)


def shape(overview: WorkspaceOverview, settings: Settings) -> dict[str, object]:
    """The overview of the workspace as JSON."""
    newest: dict[str, list[dict[str, object]]] = {
        "galleries": [
            {"slug": item.slug, "name": item.name, "rows": item.rows, **dated("galleries", item, settings)}
            for item in overview.galleries
        ],
        "checkpoints": [
            {"slug": item.slug, "name": item.name, "task": item.task, **dated("checkpoints", item, settings)}
            for item in overview.checkpoints
        ],
        "scans": [
            {"slug": item.slug, "checkpoint": item.checkpoint, "gallery": item.gallery, "rows": item.rows}
            | dated("scans", item, settings)
            for item in overview.scans
        ],
    }
    return {
        **{kind: {"count": overview.counts[kind], "newest": items} for kind, items in newest.items()},
        "jobs": {
            "count": overview.counts["jobs"],
            "states": dict(overview.states),
            "newest": [job_summary(job, settings) for job in overview.jobs],
        },
        "next_step": overview.next_step,
        "links": {
            "self": settings.url("/api"),
            **{kind: settings.url(f"/api/{kind}") for kind in overview.counts},
            "page": settings.url("/"),
        },
    }


def dated(kind: str, item: GalleryItem | CheckpointItem | ScanItem, settings: Settings) -> dict[str, object]:
    """The fields that all kinds share: when it was made, and its addresses."""
    return {
        "created_at": rfc3339(item.created_at, timespec="milliseconds"),
        "links": links(f"/{kind}/{item.slug}", settings),
    }


def job_summary(job: JobRecord, settings: Settings) -> dict[str, object]:
    """A job as a short entry of a list."""
    return {
        "id": str(job.id),
        "kind": job.kind,
        "state": job.state,
        "progress": view(job).share,
        "created_at": rfc3339(job.created_at, timespec="milliseconds"),
        "links": links(f"/jobs/{job.id}", settings),
    }


def links(path: str, settings: Settings) -> dict[str, str]:
    return {"self": settings.url(f"/api{path}"), "page": settings.url(path)}
