"""JSON addresses of jobs: submit, list, follow, cancel, resume."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from app.deps import LimitQuery, ServicesDep, SettingsDep
from app.jobs.records import JobRecord
from app.jobs.states import STATES
from app.routes.jobs import page_routes as job_page
from app.routes.jobs import progress
from app.services.jobs.events import stream
from app.services.jobs.view import artefact_path, view
from app.settings import Settings
from app.web.json_times import rfc3339
from app.web.responses import Json, answers

router = APIRouter()
router.include_router(job_page.router)
router.include_router(progress.router)

CursorQuery = Annotated[str | None, Query(max_length=64)]
StateQuery = Annotated[list[str] | None, Query(max_length=len(STATES))]
NameQuery = Annotated[list[str] | None, Query(max_length=100)]
PointsQuery = Annotated[int, Query(ge=2, le=10_000)]
OffsetQuery = Annotated[int, Query(ge=0, le=2**63 - 1)]
EXAMPLE: JsonDict = {
    "kind": "train",
    "spec": {"gallery": "photos", "task": "counting", "recipe": "small"},
    "again": False,
}


class Submission(BaseModel):
    """A job to be done; the fields of `spec` depend on `kind`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    kind: str = Field(max_length=40)
    spec: dict[str, Any]
    again: bool = Field(False, strict=True)


def _offset(text: str) -> int:
    """The event id that a client sends back, as a byte offset; anything else starts from the beginning."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def job_links(job: JobRecord, settings: Settings) -> Mapping[str, str]:
    """The addresses that belong to a job; that of what it makes only once it is there."""
    here = f"/api/jobs/{job.id}"
    links = {name: f"{here}/{name}" for name in ("metrics", "events", "log", "cancel", "resume")}
    links |= {"self": here, "page": f"/jobs/{job.id}"}
    made = artefact_path(job)
    if made is not None and job.output is not None:
        links[job.output.kind] = f"/api{made}"
    return {name: settings.url(path) for name, path in links.items()}


def job_json(job: JobRecord, settings: Settings) -> dict[str, object]:
    """A job as all answers show it."""
    shown = view(job)
    return {
        "id": str(job.id),
        "kind": job.kind,
        "state": job.state,
        "progress": shown.share,
        "step": shown.step,
        "total": shown.total,
        "unit": shown.unit,
        "rate": shown.rate,
        "eta_seconds": shown.eta_seconds,
        "metrics": dict(shown.metrics),
        "error": None if job.error is None else {"code": job.error.code, "message": job.error.message},
        "attempt": job.attempt,
        "device": job.device,
        "spec": dict(job.spec),
        "created_at": rfc3339(job.created_at),
        "started_at": _moment(job.started_at),
        "finished_at": _moment(job.finished_at),
        "links": job_links(job, settings),
    }


summary = job_json


@router.post("/api/jobs", status_code=202, responses={200: {"description": "an identical job was there already"}})
def submit_job(submission: Submission, services: ServicesDep, settings: SettingsDep) -> Json:
    """Queue a job: 202, or 200 with an identical job that is already queued, running or done."""
    job, new = services.jobs.submit(submission.kind, submission.spec, submission.again)
    return Json(job_json(job, settings), 202 if new else 200)


@router.get("/api/jobs")
def list_jobs(
    services: ServicesDep,
    settings: SettingsDep,
    limit: LimitQuery = 50,
    cursor: CursorQuery = None,
    state: StateQuery = None,
    kind: NameQuery = None,
) -> Json:
    """Jobs, newest first; `state` and `kind` may be given several times."""
    found = services.jobs.list(states=state or (), kinds=kind or (), limit=limit, cursor=cursor)
    return Json({"jobs": [job_json(job, settings) for job in found.jobs], "next": found.next})


@router.get("/api/jobs/{job}")
def show_job(job: str, services: ServicesDep, settings: SettingsDep) -> Json:
    """One job as it is now."""
    return Json(job_json(services.jobs.get(job), settings))


@router.get("/api/jobs/{job}/metrics")
def job_metrics(job: str, services: ServicesDep, name: NameQuery = None, points: PointsQuery = 500) -> Json:
    """Curves: for each name the last value at each step, thinned to about `points`."""
    series = services.jobs.series(job, name or (), points)
    return Json({"series": [{"name": key, "points": line} for key, line in series.items()]})


@router.get("/api/jobs/{job}/events", response_class=Response, responses=answers("text/event-stream"))
async def job_events(
    job: str,
    request: Request,
    services: ServicesDep,
    after: OffsetQuery = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Server-sent events. Their ids are byte offsets; `Last-Event-ID` (or `after`) continues after that event."""
    record = await run_in_threadpool(services.jobs.get, job)
    offset = after if last_event_id is None else _offset(last_event_id)
    events = stream(services.jobs, record, offset, lambda: bool(getattr(request.app.state, "stopping", False)))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


@router.get("/api/jobs/{job}/log", response_class=Response, responses=answers("text/plain"))
def job_log(job: str, services: ServicesDep) -> PlainTextResponse:
    """The last lines of what the job printed."""
    return PlainTextResponse(services.jobs.log_tail(job))


@router.post("/api/jobs/{job}/cancel", responses={202: {"description": "it was running and will have stopped soon"}})
def cancel_job(job: str, services: ServicesDep, settings: SettingsDep) -> Json:
    """Cancel: 200 if it was waiting, 202 if it is running, 409 if it has ended."""
    record = services.jobs.cancel(job)
    return Json(job_json(record, settings), 202 if record.state == "cancelling" else 200)


@router.post("/api/jobs/{job}/resume", status_code=202)
def resume_job(job: str, services: ServicesDep, settings: SettingsDep) -> Json:
    """Queue a failed or cancelled job again; it goes on from its saved state. 409 for any other."""
    return Json(job_json(services.jobs.resume(job), settings), 202)
