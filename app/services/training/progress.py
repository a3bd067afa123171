"""How a training does on held-out images: the latest measures, one image's views, and whether the network died."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.failures import NotFound
from app.jobs.records import JobRecord
from models.counting.measures import MARGIN
from models.counting.training_views import VIEWS, tiles_total, whole_over_tiles
from models.training.validation_log import ValidationLog, ValidationPoint, picture_path, read_validation_log

STATE = "state"  # of a job's folder
NAMES = ("Dx", "T₁", "T₂", "T₃", "T₄")


@dataclass(frozen=True)
class ImageView:
    """One input of the fixed image: its name, the name of its picture, and what is counted in it where it counts."""

    name: str
    picture: str
    total: float | None


@dataclass(frozen=True)
class ValidationView:
    """The validations so far: measures over `images` held-out images, and the views of the gallery's `row`.

    `question` is that of the views' puzzle, empty where a network counts; `guessed` are measures by guessing.
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
        """Whether the network counts, so that there are totals."""
        return bool(self.latest.totals)

    @property
    def first(self) -> ValidationPoint:
        return self.points[0]

    @property
    def latest(self) -> ValidationPoint:
        return self.points[-1]

    @property
    def whole(self) -> float:
        """What is counted in the whole image now."""
        return self.latest.totals[0]

    @property
    def tiles(self) -> float:
        """What is counted in its four tiles together."""
        return tiles_total(self.latest.totals)

    @property
    def ratio(self) -> float | None:
        """Whole over tiles now; None where the tiles count nothing."""
        return whole_over_tiles(self.latest.totals)

    @property
    def first_ratio(self) -> float | None:
        """Whole over tiles at the first step."""
        return whole_over_tiles(self.first.totals)

    @property
    def collapsed(self) -> bool:
        return collapsed(self.latest.measures.get("held_out_pull"), self.latest.measures.get("held_out_push"))


def collapsed(pull: float | None, push: float | None) -> bool:
    """Whether a network counts nothing: next to no error, because every image costs the whole margin."""
    return pull is not None and push is not None and pull < 0.01 * MARGIN and push > 0.99 * MARGIN


def validation_view(job: JobRecord, folder: Path) -> ValidationView | None:
    """What a training has seen so far; None where it has not looked yet, or is no training."""
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
    """The fixed image over the steps: whole and tiles."""
    if not log.points[-1].totals:
        return {}
    return {
        "φ(Dx)": [(point.step, point.totals[0]) for point in log.points],
        "Σ φ(Tⱼx)": [(point.step, tiles_total(point.totals)) for point in log.points],
    }


def validation_log(job: JobRecord, folder: Path) -> ValidationLog | None:
    """What the training in `folder` has found on held-out images so far; None for another kind of job."""
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
