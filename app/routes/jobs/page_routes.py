"""The pages of the queue and of one job, and the form that starts a training."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from app.deps import LimitQuery, ServicesDep, SettingsDep
from app.jobs.states import STATES
from app.routes.jobs.job_page import JobLiveContext, job_context, job_now
from app.routes.jobs.list_page import jobs_context
from app.services.training.form import TASK, FormFields, scan_after, start_training, train_form, train_spec
from app.web.templating import page

router = APIRouter(include_in_schema=False)

CursorQuery = Annotated[str | None, Query(max_length=64)]
StateQuery = Annotated[list[str] | None, Query(max_length=len(STATES))]
TaskQuery = Annotated[str, Query(max_length=40)]


async def form_fields(request: Request) -> FormFields:
    """The text fields of a form, without spaces around them."""
    async with request.form(max_files=0, max_fields=60) as form:
        return {name: value.strip() for name, value in form.items() if isinstance(value, str)}


FormDep = Annotated[FormFields, Depends(form_fields)]


@router.get("/jobs")
def jobs_page(
    request: Request,
    services: ServicesDep,
    settings: SettingsDep,
    limit: LimitQuery = 50,
    cursor: CursorQuery = None,
    state: StateQuery = None,
    task: TaskQuery = TASK,
) -> HTMLResponse:
    found = services.jobs.list(states=state or (), limit=limit, cursor=cursor)
    context = jobs_context(
        found,
        services.jobs.counts(),
        train_form(services.store, task),
        settings,
        chosen=state or [],
        limit=limit,
        cursor=cursor,
        supervised=services.jobs.supervised,
    )
    return page(request, context)


@router.post("/jobs/train")
def train_from_page(fields: FormDep, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Start the training that the form describes, and the scan after it."""
    job = start_training(services, train_spec(fields), scan_after(fields, fields.get("gallery", "")))
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), 303)


@router.get("/jobs/{job}")
def job_page(request: Request, job: str, services: ServicesDep) -> HTMLResponse:
    return page(request, job_context(services.jobs.get(job), services))


@router.get("/jobs/{job}/live")
def job_live(request: Request, job: str, services: ServicesDep) -> HTMLResponse:
    """The changing part of the job's page, which its custom element fetches."""
    return page(request, JobLiveContext(job_now(services.jobs.get(job), services)))


@router.post("/jobs/{job}/cancel")
def cancel_from_page(job: str, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    services.jobs.cancel(job)
    return RedirectResponse(settings.url(f"/jobs/{job}"), 303)


@router.post("/jobs/{job}/resume")
def resume_from_page(job: str, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    services.jobs.resume(job)
    return RedirectResponse(settings.url(f"/jobs/{job}"), 303)
