"""Labs that break the counting task on purpose: their runs on a gallery, and a verdict on each from its numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.failures import Conflict, NotFound
from app.jobs.records import JobRecord
from app.services.checkpoints.measures import kernel_errors
from app.services.services import Services
from app.services.training.progress import collapsed, validation_log
from models.counting.labs import LABS, SOUND, TASK, Lab
from models.recipes import differences
from models.training.validation_log import ValidationLog

MOST_JOBS = 500  # how many of the newest trainings are searched for lab runs
RECIPES = (SOUND, *(lab.recipe for lab in LABS))
CLEARLY = 3.0  # a pull so many times that of the sound run means that the equation is lost


@dataclass(frozen=True)
class LabRun:
    """A run of a lab, with its latest measures on held-out images.

    `step` is that of the latest validation, None before the first. `loss` is a curve of (step, value). `collapsed_at`
    is the step at which the network was first found to count nothing, None where it never was. `unseen_error` is the
    relative error of the equation with kernels that were not trained with, divided by that with the area kernel; None
    until the run is done.
    """

    recipe: str
    job: JobRecord
    step: int | None
    measures: Mapping[str, float]
    loss: list[tuple[int, float]]
    collapsed_at: int | None
    unseen_error: float | None

    @property
    def pull(self) -> float | None:
        return self.measures.get("held_out_pull")

    @property
    def push(self) -> float | None:
        return self.measures.get("held_out_push")

    @property
    def ratio(self) -> float | None:
        return self.measures.get("additivity_ratio")

    @property
    def units(self) -> float | None:
        return self.measures.get("firing_units")

    @property
    def collapsed(self) -> bool:
        return collapsed(self.pull, self.push)


@dataclass(frozen=True)
class LabView:
    """A lab, the settings that it changes as (name, sound value, lab's value), and its newest run on the gallery."""

    lab: Lab
    changes: list[tuple[str, object, object]]
    run: LabRun | None
    verdict: str


@dataclass(frozen=True)
class LabsView:
    """All labs on one gallery, and the sound run that they are compared with; `galleries` are those to choose from."""

    gallery: str | None
    galleries: tuple[str, ...]
    sound: LabRun | None
    labs: tuple[LabView, ...]

    @property
    def runs(self) -> tuple[LabRun, ...]:
        """All runs with at least one validation, the sound one first."""
        found = (self.sound, *(view.run for view in self.labs))
        return tuple(run for run in found if run is not None and run.step is not None)

    def verdict(self, recipe: str) -> str:
        return next((view.verdict for view in self.labs if view.lab.recipe == recipe), sound_sentence(self.sound))


def labs_view(services: Services, gallery: str | None) -> LabsView:
    """The labs on `gallery`; None takes the gallery with the newest lab run, else the newest gallery."""
    galleries = tuple(item.slug for item in services.galleries.filled())
    jobs = [job for job in services.jobs.list(kinds=("train",), limit=MOST_JOBS).jobs if _recipe(job) in RECIPES]
    if gallery is None:
        used = (str(job.spec["gallery"]) for job in jobs)
        gallery = next((slug for slug in used if slug in galleries), galleries[0] if galleries else None)
    elif gallery not in galleries:
        known = services.galleries.get(gallery)
        raise NotFound("unknown_gallery", f"There is no gallery {known.slug!r} with images.")
    newest: dict[str, JobRecord] = {}
    for job in jobs:
        if job.spec["gallery"] == gallery:
            newest.setdefault(_recipe(job), job)
    runs = {recipe: _run(services, job) for recipe, job in newest.items()}
    sound = runs.get(SOUND)
    labs = tuple(
        LabView(lab, differences(TASK, SOUND, lab.recipe), runs.get(lab.recipe), sentence(runs.get(lab.recipe), sound))
        for lab in LABS
    )
    return LabsView(gallery, galleries, sound, labs)


def start_lab(services: Services, recipe: str, gallery: str) -> JobRecord:
    """Start a lab, or the sound run, on a gallery; an identical run is returned as it is. Raises NotFound, Conflict."""
    if recipe not in RECIPES:
        raise NotFound("unknown_lab", f"There is no lab {recipe[:40]!r}; there are {', '.join(RECIPES)}.")
    if not gallery:
        raise Conflict("no_gallery", "A lab needs a gallery to train on; import one first.")
    job, _ = services.jobs.submit("train", {"gallery": gallery, "task": TASK, "recipe": recipe})
    return job


def sentence(run: LabRun | None, sound: LabRun | None) -> str:
    """The verdict on a run of a lab, beside the sound run."""
    if run is None:
        return "Not run yet."
    if run.step is None or run.pull is None or run.push is None:
        return f"Job {run.job.id} is {run.job.state}; it has not looked at held-out images yet."
    if run.collapsed:
        beside = f" The sound run has {_units(sound)}." if sound is not None and sound.step is not None else ""
        return (
            f"Collapsed, first seen at step {run.collapsed_at}: a pull of {run.pull:.3f} and a push of {run.push:.3f} "
            f"out of 10, with {_units(run)}. It counts nothing.{beside}"
        )
    if sound is None or sound.pull is None or sound.step is None:
        return (
            f"Not collapsed at step {run.step}: pull {run.pull:.3f}, push {run.push:.3f}. Run the sound one beside it."
        )
    if run.recipe == "one-kernel" and run.unseen_error is not None and sound.unseen_error is not None:
        return _kernels(run, run.unseen_error, sound.unseen_error)
    if run.pull > CLEARLY * sound.pull:
        return (
            f"The equation is lost: its error is {run.pull / sound.pull:,.0f} times that of the sound run "
            f"({run.pull:.3f} against {sound.pull:.3f}), with {_units(run)}."
        )
    return (
        f"Not broken at step {run.step}: pull {run.pull:.3f}, push {run.push:.3f} against {sound.pull:.3f} and "
        f"{sound.push or 0:.3f} of the sound run."
    )


def sound_sentence(run: LabRun | None) -> str:
    """The verdict on the sound run."""
    if run is None or run.pull is None or run.push is None:
        return "Not run yet."
    if run.collapsed:
        return "The sound run has collapsed too, on this gallery: nothing can be compared with it."
    ratio = "" if run.ratio is None else f", additivity ratio {run.ratio:.2f}"
    return f"Alive at step {run.step}: pull {run.pull:.3f}, push {run.push:.3f}, {_units(run)}{ratio}."


def _kernels(run: LabRun, unseen: float, sound: float) -> str:
    learned = unseen >= 2 * sound
    return (
        f"At step {run.step} the error with kernels it never saw is {unseen:.2f} times that with area; in the sound "
        f"run, which saw all four, {sound:.2f} times. "
        + ("The network has learned its kernel." if learned else "That is no proof that it has learned its kernel.")
    )


def _units(run: LabRun | None) -> str:
    number = int(run.units or 0) if run is not None else 0
    return f"{number} active unit{'' if number == 1 else 's'}"


def _recipe(job: JobRecord) -> str:
    return str(job.spec.get("recipe"))


def _run(services: Services, job: JobRecord) -> LabRun:
    log = validation_log(job, services.jobs.folder(job)) or ValidationLog(0, 0)
    dead = [
        point.step
        for point in log.points
        if collapsed(point.measures.get("held_out_pull"), point.measures.get("held_out_push"))
    ]
    return LabRun(
        recipe=_recipe(job),
        job=job,
        step=log.points[-1].step if log.points else None,
        measures=log.points[-1].measures if log.points else {},
        loss=log.curve("held_out_loss"),
        collapsed_at=dead[0] if dead else None,
        unseen_error=_unseen_error(services, job),
    )


def _unseen_error(services: Services, job: JobRecord) -> float | None:
    """The mean error of the other kernels divided by that of the area kernel, which every lab trains with.

    None until the run has made its checkpoint.
    """
    if job.state != "done" or job.output is None:
        return None
    try:
        card = services.checkpoints.open(job.output.slug).card
    except (NotFound, Conflict):
        return None
    errors = {error.name: error.cell.value for error in kernel_errors(card, card.measures)}
    own = errors.pop("area", None)
    others = [value for value in errors.values() if value is not None]
    return sum(others) / len(others) / own if others and own else None
