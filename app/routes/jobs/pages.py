"""The pages of the queue and of one job, and the form that starts a training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup

from app.deps import LimitQuery, ServicesDep, SettingsDep
from app.jobs.records import JobRecord
from app.jobs.states import STATES
from app.services.checkpoints.curves import CurveGroup, collapsed_cost, curve_groups
from app.services.jobs.view import JobView, view
from app.services.services import Services
from app.services.training.form import TASK, FormFields, scan_after, start_training, train_form, train_spec
from app.services.training.progress import LookView, look_view
from app.web.charts import line_chart
from app.web.curve_charts import curve_chart
from app.web.templating import page

router = APIRouter(include_in_schema=False)

CursorQuery = Annotated[str | None, Query(max_length=64)]
StateQuery = Annotated[list[str] | None, Query(max_length=len(STATES))]
TaskQuery = Annotated[str, Query(max_length=40)]
PAGE_LOG = 8 * 1024  # bytes of the log's end that the page shows
CHART_POINTS = 300


async def form_fields(request: Request) -> FormFields:
    """The text fields of a form, as they were typed."""
    async with request.form(max_files=0, max_fields=60) as form:
        return {name: value.strip() for name, value in form.items() if isinstance(value, str)}


FormDep = Annotated[FormFields, Depends(form_fields)]


@dataclass(frozen=True)
class JobParts:
    """What the page of a job shows; `offset` is where its events go on from here."""

    view: JobView
    offset: int
    charts: Sequence[tuple[CurveGroup, Markup]]
    looks: LookView | None
    history: Markup | None
    log: str
    needs: Sequence[int]
    then: Sequence[JobView]
    supervised: bool


def _parts(job: JobRecord, services: Services) -> JobParts:
    looks = look_view(job, services.jobs.folder(job))
    groups = curve_groups(
        services.jobs.series(job.id, points=CHART_POINTS),
        collapsed_cost(job.spec.get("config") or {}),
        None if looks is None else looks.guessed,
    )
    return JobParts(
        view=view(job),
        offset=services.jobs.end_of_events(job),
        charts=[(group, curve_chart(group)) for group in groups],
        looks=looks,
        history=_history(looks),
        log=services.jobs.log_tail(job.id, PAGE_LOG),
        needs=services.jobs.needs(job.id),
        then=[view(services.jobs.get(number)) for number in services.jobs.needed_by(job.id)],
        supervised=services.jobs.supervised,
    )


def _history(looks: LookView | None) -> Markup | None:
    if looks is None or not looks.counts:
        return None
    return line_chart(looks.history, label="Whole and tiles of one image", height=150)


def _address(states: list[str] | None, limit: int, cursor: str | None = None) -> str:
    """Another page of the list that is being looked at."""
    asked = {"state": states or [], "limit": [limit], "cursor": [cursor] if cursor else []}
    return f"/jobs?{urlencode(asked, doseq=True)}"


@router.get("/jobs")
def jobs_page(
    request: Request,
    services: ServicesDep,
    limit: LimitQuery = 50,
    cursor: CursorQuery = None,
    state: StateQuery = None,
    task: TaskQuery = TASK,
) -> HTMLResponse:
    found = services.jobs.list(states=state or (), limit=limit, cursor=cursor)
    return page(
        request,
        "jobs.html",
        jobs=[view(job) for job in found.jobs],
        pages=(cursor and _address(state, limit), found.next and _address(state, limit, found.next)),
        filter=(STATES, state or [], services.jobs.counts()),
        supervised=services.jobs.supervised,
        form=train_form(services.store, task),
    )


@router.post("/jobs/train")
def train_from_page(fields: FormDep, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Start the training that the form describes, and the scan after it."""
    job = start_training(services, train_spec(fields), scan_after(fields, fields.get("gallery", "")))
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), 303)


@router.get("/jobs/{job}")
def job_page(request: Request, job: str, services: ServicesDep) -> HTMLResponse:
    return page(request, "job.html", parts=_parts(services.jobs.get(job), services))


@router.get("/jobs/{job}/live")
def job_live(request: Request, job: str, services: ServicesDep) -> HTMLResponse:
    """The part of the job's page that changes, for its custom element."""
    return page(request, "_job_live.html", parts=_parts(services.jobs.get(job), services))


@router.post("/jobs/{job}/cancel")
def cancel_from_page(job: str, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    services.jobs.cancel(job)
    return RedirectResponse(settings.url(f"/jobs/{job}"), 303)


@router.post("/jobs/{job}/resume")
def resume_from_page(job: str, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    services.jobs.resume(job)
    return RedirectResponse(settings.url(f"/jobs/{job}"), 303)
