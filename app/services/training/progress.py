"""A training's results on held-out images: measures, the views of one image, and whether the network collapsed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.failures import NotFound
from app.jobs.records import JobRecord
from models.counting.measures import MARGIN
from models.counting.training_views import VIEWS, tiles_total, whole_over_tiles
from models.training.validation_log import ValidationLog, ValidationPoint, picture_path, read_validation_log

STATE = "state"  # the folder inside a job's folder that holds its saved state
NAMES = ("Dx", "T₁", "T₂", "T₃", "T₄")


@dataclass(frozen=True)
class ImageView:
    """One view of the fixed held-out image: its name, the name of its picture, and its total count.

    `total` is None where the network does not count.
    """

    name: str
    picture: str
    total: float | None


@dataclass(frozen=True)
class ValidationView:
    """The validations so far: measures over `images` held-out images, and the views of the gallery's `row`.

    `history` has curves of (step, total count) of the fixed image by name, empty where the network does not count.
    `question` is the puzzle's question, empty where the network counts; `guessed` has the measures of guessing by name.
    """

    gallery: str
    row: int
    images: int
    points: tuple[ValidationPoint, ...]
    views: tuple[ImageView, ...]
    history: Mapping[str, list[tuple[int, float]]]
    question: str = ""
    guessed: Mapping[str, float] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """Whether the network counts; only then there are totals."""
        return bool(self.latest.totals)

    @property
    def first(self) -> ValidationPoint:
        return self.points[0]

    @property
    def latest(self) -> ValidationPoint:
        return self.points[-1]

    @property
    def whole(self) -> float:
        """The total count of the whole image at the latest validation."""
        return self.latest.totals[0]

    @property
    def tiles(self) -> float:
        """The total count of its four tiles together at the latest validation."""
        return tiles_total(self.latest.totals)

    @property
    def ratio(self) -> float | None:
        """The count of the whole image divided by that of its tiles, now; None where the tiles count nothing."""
        return whole_over_tiles(self.latest.totals)

    @property
    def first_ratio(self) -> float | None:
        """The same ratio at the first validation."""
        return whole_over_tiles(self.first.totals)

    @property
    def collapsed(self) -> bool:
        return collapsed(self.latest.measures.get("held_out_pull"), self.latest.measures.get("held_out_push"))


def collapsed(pull: float | None, push: float | None) -> bool:
    """Whether a network has learned to count nothing.

    It then has almost no pull, because 0 = 0 fulfils the counting equation, and a push of the whole margin.
    """
    return pull is not None and push is not None and pull < 0.01 * MARGIN and push > 0.99 * MARGIN


def validation_view(job: JobRecord, folder: Path) -> ValidationView | None:
    """The validations of a training so far; None where there was none yet, or the job is no training."""
    log = validation_log(job, folder)
    if log is None or not log.points:
        return None
    return ValidationView(
        gallery=str(job.spec.get("gallery", "")),
        row=log.row,
        images=log.images,
        points=log.points,
        views=_views(log),
        history=_history(log),
        question=log.question,
        guessed=log.chance,
    )


def _views(log: ValidationLog) -> tuple[ImageView, ...]:
    totals = log.points[-1].totals
    if totals:
        return tuple(ImageView(*about) for about in zip(NAMES, VIEWS, totals, strict=True))
    return tuple(ImageView(name, picture, None) for name, picture in zip(log.captions, log.pictures, strict=True))


def _history(log: ValidationLog) -> dict[str, list[tuple[int, float]]]:
    """The total counts of the fixed image over the steps: of the whole and of its tiles."""
    if not log.points[-1].totals:
        return {}
    return {
        "φ(Dx)": [(point.step, point.totals[0]) for point in log.points],
        "Σ φ(Tⱼx)": [(point.step, tiles_total(point.totals)) for point in log.points],
    }


def validation_log(job: JobRecord, folder: Path) -> ValidationLog | None:
    """The log of the validations of the training in `folder`; None for another kind of job."""
    return read_validation_log(folder / STATE) if job.kind == "train" else None


def view_picture(folder: Path, view: str) -> bytes:
    """The PNG of one of the views. Raises NotFound."""
    log = read_validation_log(folder / STATE)
    known = VIEWS if log is None else log.pictures or VIEWS
    if view not in known:
        raise NotFound("unknown_view", f"There is no view {view[:40]!r}; there are {', '.join(known)}.")
    try:
        return picture_path(folder / STATE, view).read_bytes()
    except OSError:
        raise NotFound("no_views", "This job keeps no pictures of its views.") from None
