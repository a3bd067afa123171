"""What the page of the break-it labs shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from app.services.checkpoints.curves import COLLAPSED
from app.services.training.labs import LabRun, LabsView, LabView, sound_sentence
from app.settings import Settings
from app.web.charts import line_chart
from app.web.formats import number
from app.web.frame import PageContext
from models.counting.labs import SOUND

GOING = ("queued", "running", "cancelling", "blocked")


@dataclass(frozen=True)
class RunLine:
    """A run in the table of verdicts, its measures as text; `state` is empty if it is done."""

    name: str
    href: str
    state: str
    step: str
    pull: str
    push: str
    ratio: str
    units: str
    unseen: str
    collapsed: bool
    verdict: str


@dataclass(frozen=True)
class LabStart:
    """What can be done with a lab: start it, or look at its run.

    `action` is the address that starts it, `words` are on the button. If there is a run, `href` is its address, and
    `watch` is the text of that link while it has not ended.
    """

    action: str
    words: str
    href: str
    watch: str
    state: str
    done: bool


@dataclass(frozen=True)
class LabCard:
    """A lab: what it breaks, what to expect, and what came of it. A change is (setting, sound value, broken value)."""

    recipe: str
    title: str
    note: str
    broken: str
    changes: Sequence[tuple[str, object, object]]
    expect: str
    verdict: str
    start: LabStart


@dataclass(frozen=True)
class LabsContext(PageContext):
    """The labs on one gallery; `gallery` is empty if there is none to train on."""

    template: ClassVar[str] = "labs.html"
    json: str
    gallery: str
    galleries: Sequence[str]
    runs: Sequence[RunLine]
    chart: Markup | None
    sound_note: str
    sound_verdict: str
    sound: LabStart
    labs: Sequence[LabCard]


def labs_context(found: LabsView, settings: Settings) -> LabsContext:
    """The page of the labs."""
    losses = {run.recipe: run.loss for run in found.runs}
    chart = line_chart(losses, label="Held-out loss", log_y=True, levels={COLLAPSED: 10.0}) if losses else None
    return LabsContext(
        json=settings.url(f"/api/labs?gallery={found.gallery}" if found.gallery else "/api/labs"),
        gallery=found.gallery or "",
        galleries=found.galleries,
        runs=[_line(run, found, settings) for run in found.runs],
        chart=chart,
        sound_note=f"recipe {SOUND}",
        sound_verdict=sound_sentence(found.sound),
        sound=_start(SOUND, found.sound, "Start it", settings),
        labs=[_card(item, settings) for item in found.labs],
    )


def _line(run: LabRun, found: LabsView, settings: Settings) -> RunLine:
    return RunLine(
        name=run.recipe,
        href=settings.url(f"/jobs/{run.job.id}"),
        state="" if run.job.state == "done" else run.job.state,
        step=number(run.step),
        pull=_places(run.pull, 3),
        push=_places(run.push, 3),
        ratio=_places(run.ratio, 2),
        units=number(run.units),
        unseen=_places(run.unseen_error, 2),
        collapsed=run.collapsed,
        verdict=sound_sentence(found.sound) if run.recipe == SOUND else found.verdict(run.recipe),
    )


def _places(value: float | None, places: int) -> str:
    return "–" if value is None else f"{value:.{places}f}"


def _start(recipe: str, run: LabRun | None, words: str, settings: Settings) -> LabStart:
    going = run is not None and run.job.state in GOING
    return LabStart(
        action=settings.url(f"/labs/{recipe}"),
        words=words,
        href="" if run is None else settings.url(f"/jobs/{run.job.id}"),
        watch=f"Watch job {run.job.id}" if run is not None and going else "",
        state="" if run is None else run.job.state,
        done=run is not None and run.job.state == "done",
    )


def _card(item: LabView, settings: Settings) -> LabCard:
    lab = item.lab
    return LabCard(
        recipe=lab.recipe,
        title=lab.title,
        note=f"recipe {lab.recipe}",
        broken=lab.broken,
        changes=item.changes,
        expect=lab.expect,
        verdict=item.verdict,
        start=_start(lab.recipe, item.run, "Break it", settings),
    )
