"""What the page of the queue shows, with the form that starts a training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlencode

from markupsafe import Markup

from app.jobs.states import STATES
from app.services.jobs.service import JobPage
from app.services.jobs.view import JobView, view
from app.services.training.form import Setting, TrainForm
from app.settings import Settings
from app.web.formats import ago, duration, number
from app.web.frame import PageContext

MOVING = ("running", "queued", "cancelling")


@dataclass(frozen=True)
class JobLine:
    """A job in the table; `progress` is empty if it is not known, `made` is the address of what it made."""

    href: str
    title: str
    note: str
    state: str
    error: str
    progress: str
    share: float | None
    time: str
    submitted: Markup
    made: str
    can_cancel: bool
    can_resume: bool


@dataclass(frozen=True)
class TrainingSetting:
    """A setting of the training; `hint` says what it is and which values the recipes have.

    `choices` are its possible values, empty if it is typed; `words`: it is a text instead of a number. `step` and
    `limits` (lowest, highest) are attributes of the input field.
    """

    id: str
    name: str
    title: str
    choices: Sequence[str]
    words: bool
    step: str
    limits: tuple[str, str] | None
    hint: str


@dataclass(frozen=True)
class TrainFormView:
    """The form that starts a training. `first` are the settings that are always shown, `others` are folded.

    `tasks` are links to this form for another task.
    """

    task: str
    tasks: Sequence[tuple[str, str, bool]]
    galleries: Sequence[str]
    galleries_hint: str
    recipes: Sequence[str]
    first: Sequence[TrainingSetting]
    others: Sequence[TrainingSetting]
    labs: str  # the address of the break-it labs; empty for tasks without any


@dataclass(frozen=True)
class JobsContext(PageContext):
    """A part of the queue, only with jobs of the chosen states if some are chosen.

    `supervised`: a process that starts jobs is running; `moves`: the page follows jobs that have not ended.
    """

    template: ClassVar[str] = "jobs.html"
    supervised: bool
    all_chosen: bool
    states: Sequence[tuple[str, str, bool]]  # text, address, whether it is chosen
    moves: bool
    jobs: Sequence[JobLine]
    none_of: str  # the text if there is no job in the chosen states
    first: str | None
    next: str | None
    form: TrainFormView


def jobs_context(
    found: JobPage,
    counts: Mapping[str, int],
    form: TrainForm,
    settings: Settings,
    *,
    chosen: Sequence[str],
    limit: int,
    cursor: str | None,
    supervised: bool,
) -> JobsContext:
    """The page with a part of the queue."""
    return JobsContext(
        supervised=supervised,
        all_chosen=not chosen,
        states=[
            (f"{state} {counts.get(state, 0)}", settings.url(f"/jobs?state={state}"), state in chosen)
            for state in STATES
            if counts.get(state) or state in chosen
        ],
        moves=any(counts.get(state) for state in MOVING),
        jobs=[_line(view(job), settings) for job in found.jobs],
        none_of=f"No job is {' or '.join(chosen)}" if chosen else "",
        first=settings.url(_address(chosen, limit)) if cursor else None,
        next=settings.url(_address(chosen, limit, found.next)) if found.next else None,
        form=_form(form, settings),
    )


def _address(states: Sequence[str], limit: int, cursor: str | None = None) -> str:
    """The address of another part of the same list."""
    asked = {"state": states, "limit": [limit], "cursor": [cursor] if cursor else []}
    return f"/jobs?{urlencode(asked, doseq=True)}"


def _line(shown: JobView, settings: Settings) -> JobLine:
    job = shown.job
    return JobLine(
        href=settings.url(f"/jobs/{job.id}"),
        title=shown.title,
        note=f"job {job.id}" + (f", attempt {job.attempt}" if job.attempt > 1 else ""),
        state=job.state,
        error="" if job.error is None else job.error.message,
        progress=_progress(shown),
        share=shown.share,
        time=duration(shown.seconds),
        submitted=ago(job.created_at),
        made=settings.url(shown.made) if shown.made and job.state == "done" else "",
        can_cancel=shown.can_cancel,
        can_resume=shown.can_resume,
    )


def _progress(shown: JobView) -> str:
    """How far the job is: `30 of 120 images, 42 s left`."""
    if shown.step is None:
        return ""
    total = f" of {number(shown.total)}" if shown.total else ""
    left = "" if shown.eta_seconds is None else f", {duration(shown.eta_seconds)} left"
    return f"{number(shown.step)}{total} {shown.unit or ''}{left}"


def _form(form: TrainForm, settings: Settings) -> TrainFormView:
    hint = "photos with the labels to learn" if form.labelled else "photos to learn from; labels are not used"
    return TrainFormView(
        task=form.task,
        tasks=[(task, f"{settings.url('/jobs')}?task={task}#train", task == form.task) for task in form.tasks],
        galleries=form.galleries,
        galleries_hint=hint,
        recipes=form.recipes,
        first=[_setting(item) for item in form.first],
        others=[_setting(item) for item in form.others],
        labs=settings.url("/labs") if form.task == "counting" else "",
    )


def _setting(item: Setting) -> TrainingSetting:
    values = ", ".join(f"{recipe} {value}" for recipe, value in item.values.items())
    return TrainingSetting(
        id=f"f-config-{item.name}",
        name=f"config.{item.name}",
        title=item.name.replace("_", " ").capitalize(),
        choices=item.choices,
        words=item.words,
        step="1" if item.whole else "any",
        limits=_limits(item),
        hint=f"{item.help}; {values}",
    )


def _limits(item: Setting) -> tuple[str, str] | None:
    if item.low is None or item.high is None:
        return None
    return (str(int(item.low)), str(int(item.high))) if item.whole else (str(item.low), str(item.high))
