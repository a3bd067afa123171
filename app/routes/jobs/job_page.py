"""What the page of one job shows; most of it changes while the job runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from app.jobs.records import JobRecord
from app.routes.jobs.validation_view import ValidationPanel, collapsed_words, validation_panel
from app.services.checkpoints.curves import collapsed_cost, curve_groups
from app.services.jobs.view import JobView, view
from app.services.services import Services
from app.services.training.progress import ValidationView, validation_view
from app.settings import Settings
from app.web.curve_charts import curve_chart
from app.web.formats import duration, number, timestamp
from app.web.frame import PageContext

PAGE_LOG = 8 * 1024  # bytes of the log's end that the page shows
CHART_POINTS = 300  # of one curve
BEFORE = ("queued", "blocked")
UNSUPERVISED = "No one runs this workspace's jobs at the moment. Start the server, or tessera worker."


@dataclass(frozen=True)
class Made:
    """A link to what the job made."""

    href: str
    words: str


@dataclass(frozen=True)
class JobStat:
    label: str
    value: str
    note: str


@dataclass(frozen=True)
class JobChart:
    title: str
    chart: Markup
    note: str


@dataclass(frozen=True)
class NextJob:
    """A job that waits for this one; `made` is given once it is done."""

    title: str
    href: str
    state: str
    made: Made | None


@dataclass(frozen=True)
class JobNow:
    """The part of a job's page that changes while it runs.

    `here` and `json` are its addresses, `share` is the part that is done (0 to 1), None if that is not known.
    `validation` is given for a training that has been measured on held-out images. `then` are the jobs that wait for
    this one, `log` is the end of what it printed.
    """

    title: str
    lead: str
    state: str
    here: str
    json: str
    made: Made | None
    can_cancel: bool
    can_resume: bool
    ended: bool
    notices: Sequence[tuple[str, str]]  # text, kind
    has_progress: bool
    share: float | None
    stats: Sequence[JobStat]
    validation: ValidationPanel | None
    charts: Sequence[JobChart]
    needs: Sequence[tuple[str, str]]  # the jobs it waits for: name, address
    then: Sequence[NextJob]
    log: str
    log_address: str


@dataclass(frozen=True)
class JobLiveContext(PageContext):
    """The part of the page that changes, without the rest."""

    template: ClassVar[str] = "_job_live.html"
    now: JobNow


@dataclass(frozen=True)
class JobPageContext(PageContext):
    """The whole page.

    The custom element listens to `events` from the byte `after` on, and fetches `live` again when something has
    changed. `facts` are the settings of the job, as (name, value) to read.
    """

    template: ClassVar[str] = "job.html"
    now: JobNow
    name: str
    events: str
    live: str
    after: int
    facts: Sequence[tuple[str, str]]


def job_context(job: JobRecord, services: Services) -> JobPageContext:
    """The whole page. The position in the events is read first, so that no event after it is missed."""
    url = services.settings.url
    after = services.jobs.end_of_events(job)
    return JobPageContext(
        now=job_now(job, services),
        name=f"Job {job.id}",
        events=url(f"/api/jobs/{job.id}/events"),
        live=url(f"/jobs/{job.id}/live"),
        after=after,
        facts=[
            ("Kind", job.kind),
            *((name.replace("_", " ").capitalize(), said(value)) for name, value in job.spec.items()),
            ("Submitted", timestamp(job.created_at)),
        ],
    )


def said(value: object) -> str:
    """A value of a job's spec, as text to read."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{str(name).replace('_', ' ')} {said(item)}" for name, item in value.items()) or "–"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(str(item) for item in value)
    return str(value)


def job_now(job: JobRecord, services: Services) -> JobNow:
    """The changing part of the page, as it is now."""
    shown, url = view(job), services.settings.url
    found = validation_view(job, services.jobs.folder(job))
    needs = services.jobs.needs(job.id)
    here = url(f"/jobs/{job.id}")
    return JobNow(
        title=shown.title,
        lead=_lead(job),
        state=job.state,
        here=here,
        json=url(f"/api/jobs/{job.id}"),
        made=_made(shown, services.settings) if job.state == "done" else None,
        can_cancel=shown.can_cancel,
        can_resume=shown.can_resume,
        ended=shown.ended,
        notices=_notices(job, found, supervised=services.jobs.supervised, needs=bool(needs)),
        has_progress=shown.step is not None or shown.runs,
        share=shown.share,
        stats=_stats(shown),
        validation=None if found is None else validation_panel(found, job.id, services.settings),
        charts=_charts(job, found, services),
        needs=[(f"job {number}", url(f"/jobs/{number}")) for number in needs] if job.state in BEFORE else [],
        then=[_next(view(services.jobs.get(other)), services.settings) for other in services.jobs.needed_by(job.id)],
        log=services.jobs.log_tail(job.id, PAGE_LOG),
        log_address=url(f"/api/jobs/{job.id}/log"),
    )


def _lead(job: JobRecord) -> str:
    attempt = f", attempt {job.attempt}" if job.attempt > 1 else ""
    return f"job {job.id}{attempt}" + (f", on {job.device}" if job.device else "")


def _made(shown: JobView, settings: Settings) -> Made | None:
    if not shown.made or shown.job.output is None:
        return None
    return Made(settings.url(shown.made), f"Open the {shown.job.output.kind}")


def _next(shown: JobView, settings: Settings) -> NextJob:
    href = settings.url(f"/jobs/{shown.job.id}")
    return NextJob(shown.title, href, shown.job.state, _made(shown, settings))


def _notices(job: JobRecord, found: ValidationView | None, *, supervised: bool, needs: bool) -> list[tuple[str, str]]:
    """What keeps the job waiting and what went wrong; each with the kind of notice it is."""
    told = [(job.error.message, "warn" if job.state == "blocked" else "bad")] if job.error else []
    if job.state == "queued" and not supervised:
        told.append((UNSUPERVISED, "warn"))
    elif job.state == "queued":
        after = ", and for the jobs below to be done" if needs else ""
        told.append((f"It waits for its turn{after}.", "info"))
    if found is not None and found.collapsed:
        told.append((collapsed_words(found), "bad"))
    if job.state == "cancelling":
        told.append(("It was asked to stop, and will have within ten seconds.", "info"))
    return told


def _stats(shown: JobView) -> list[JobStat]:
    stats = []
    if shown.step is not None:
        unit = (shown.unit or "steps").capitalize()
        stats.append(JobStat(unit, number(shown.step), f"of {number(shown.total)}" if shown.total else ""))
    if shown.rate is not None:
        stats.append(JobStat("Images per second", number(shown.rate), ""))
    if shown.runs:
        stats.append(JobStat("Time left", duration(shown.eta_seconds), ""))
    if shown.seconds is not None:
        note = "this attempt" if shown.job.attempt > 1 else ""
        stats.append(JobStat("Running for" if shown.runs else "Took", duration(shown.seconds), note))
    return stats + [JobStat(name, number(value, 4), "") for name, value in shown.figures.items()]


def _charts(job: JobRecord, found: ValidationView | None, services: Services) -> list[JobChart]:
    groups = curve_groups(
        services.jobs.series(job.id, points=CHART_POINTS),
        collapsed_cost(job.spec.get("config") or {}),
        None if found is None else found.guessed,
    )
    return [JobChart(group.title, curve_chart(group), group.note) for group in groups]
