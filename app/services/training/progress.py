"""What a training's looks at held-out images say: the latest measures, one image's views, and whether it died."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.failures import NotFound
from app.jobs.records import JobRecord
from models.training.looks import VIEWS, Look, Looks, picture_path, read_looks

STATE = "state"  # of a job's folder
MARGIN = 10.0  # of the paper's loss, which held-out images are scored by whatever a run minimises
NAMES = ("Dx", "T₁", "T₂", "T₃", "T₄")


@dataclass(frozen=True)
class View:
    """One input of the fixed image: its name, the name of its picture, and what is counted in it where it counts."""

    name: str
    picture: str
    total: float | None


@dataclass(frozen=True)
class LookView:
    """The looks so far: measures over `images` held-out images, and the views of the gallery's `row`.

    `question` is that of the views' puzzle, empty where a network counts; `guessed` are measures by guessing.
    """

    gallery: str
    row: int
    images: int
    looks: tuple[Look, ...]
    views: tuple[View, ...]
    history: Mapping[str, list[tuple[int, float]]]
    question: str = ""
    guessed: Mapping[str, float] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """Whether the network counts, so that there are totals."""
        return bool(self.latest.totals)

    @property
    def first(self) -> Look:
        return self.looks[0]

    @property
    def latest(self) -> Look:
        return self.looks[-1]

    @property
    def collapsed(self) -> bool:
        return collapsed(self.latest.measures.get("held_out_pull"), self.latest.measures.get("held_out_push"))


def collapsed(pull: float | None, push: float | None) -> bool:
    """Whether a network counts nothing: next to no error, because every image costs the whole margin."""
    return pull is not None and push is not None and pull < 0.01 * MARGIN and push > 0.99 * MARGIN


def look_view(job: JobRecord, folder: Path) -> LookView | None:
    """What a training has seen so far; None where it has not looked yet, or is no training."""
    looks = looks_of(job, folder)
    if looks is None or not looks.looks:
        return None
    return LookView(
        gallery=str(job.spec.get("gallery", "")),
        row=looks.row,
        images=looks.images,
        looks=looks.looks,
        views=_views(looks),
        history=_history(looks),
        question=looks.question,
        guessed=looks.chance,
    )


def _views(looks: Looks) -> tuple[View, ...]:
    totals = looks.looks[-1].totals
    if totals:
        return tuple(View(*about) for about in zip(NAMES, VIEWS, totals, strict=True))
    return tuple(View(name, picture, None) for name, picture in zip(looks.captions, looks.pictures, strict=True))


def _history(looks: Looks) -> dict[str, list[tuple[int, float]]]:
    """The fixed image over the steps: whole and tiles."""
    if not looks.looks[-1].totals:
        return {}
    return {
        "φ(Dx)": [(look.step, look.whole) for look in looks.looks],
        "Σ φ(Tⱼx)": [(look.step, look.tiles) for look in looks.looks],
    }


def looks_of(job: JobRecord, folder: Path) -> Looks | None:
    """All looks of the job in `folder`."""
    return read_looks(folder / STATE) if job.kind == "train" else None


def view_picture(folder: Path, view: str) -> bytes:
    """The PNG of one of the views. Raises NotFound."""
    looks = read_looks(folder / STATE)
    known = VIEWS if looks is None else looks.pictures
    if view not in known:
        raise NotFound("unknown_view", f"There is no view {view[:40]!r}; there are {', '.join(known)}.")
    try:
        return picture_path(folder / STATE, view).read_bytes()
    except OSError:
        raise NotFound("no_views", "This job keeps no pictures of its views.") from None
