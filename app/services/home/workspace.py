"""An overview of the workspace: numbers of galleries, checkpoints, scans and jobs, the newest ones, the next step."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import case, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.jobs.records import JobRecord, record
from app.jobs.states import ACTIVE, ENDED
from app.services.checkpoints.service import has_filters
from app.store.engine import Store
from app.store.tables import CheckpointRow, GalleryRow, JobRow, ScanRow
from models.descriptors import DESCRIPTORS
from models.random_init import NAME as RANDOM_INIT

NEWEST = 5
CANDIDATES = 20  # how many of the newest checkpoints and galleries are searched for a pair to scan

UNTRAINED = (RANDOM_INIT, *DESCRIPTORS)

NextStep = Literal["import", "wait", "train", "scan", "explore"]


@dataclass(frozen=True)
class GalleryItem:
    slug: str
    name: str
    rows: int
    skipped: int
    created_at: datetime


@dataclass(frozen=True)
class CheckpointItem:
    slug: str
    name: str
    architecture: str
    task: str | None
    created_at: datetime
    has_filters: bool


@dataclass(frozen=True)
class ScanItem:
    slug: str
    checkpoint: str
    gallery: str
    rows: int
    layers: int
    created_at: datetime


@dataclass(frozen=True)
class Unscanned:
    """A checkpoint and a gallery that it has not scanned."""

    checkpoint: str
    gallery: str


@dataclass(frozen=True)
class WorkspaceOverview:
    """The newest galleries, checkpoints, scans and jobs, and how many of each there are.

    Unfinished jobs come first. `states` is the number of jobs by state. `unscanned` is the newest pair without a scan.
    """

    galleries: tuple[GalleryItem, ...]
    checkpoints: tuple[CheckpointItem, ...]
    scans: tuple[ScanItem, ...]
    jobs: tuple[JobRecord, ...]
    counts: Mapping[str, int]
    states: Mapping[str, int]
    unscanned: Unscanned | None

    @property
    def unfinished(self) -> int:
        """The number of jobs that run or wait."""
        return sum(count for state, count in self.states.items() if state not in ENDED)

    @property
    def next_step(self) -> NextStep:
        """What to do next in this workspace: the first step that is still missing."""
        working = {job.kind for job in self.jobs if job.state not in ENDED}
        if not any(gallery.rows for gallery in self.galleries):
            return "wait" if "import" in working else "import"
        if all(checkpoint.slug in UNTRAINED for checkpoint in self.checkpoints):
            return "wait" if "train" in working else "train"
        if not self.scans:
            return "scan" if self.unscanned else "wait"
        return "explore"


class WorkspaceService:
    """Reads from all tables at once; changes nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def overview(self) -> WorkspaceOverview:
        """Everything the first page shows, from one read transaction."""
        with self._store.read() as session:
            return WorkspaceOverview(
                galleries=_galleries(session),
                checkpoints=_checkpoints(session),
                scans=_scans(session),
                jobs=_jobs(session),
                counts=_counts(session),
                states=_states(session),
                unscanned=_unscanned(session),
            )

    def counts(self) -> Mapping[str, int]:
        """How many galleries, checkpoints, scans and jobs there are."""
        with self._store.read() as session:
            return _counts(session)

    def states(self) -> Mapping[str, int]:
        """How many jobs are in each state."""
        with self._store.read() as session:
            return _states(session)


def _galleries(session: Session) -> tuple[GalleryItem, ...]:
    rows = session.scalars(select(GalleryRow).order_by(GalleryRow.id.desc()).limit(NEWEST))
    return tuple(GalleryItem(row.slug, row.name, row.rows, row.skipped, row.created_at) for row in rows)


def _checkpoints(session: Session) -> tuple[CheckpointItem, ...]:
    rows = session.scalars(select(CheckpointRow).order_by(CheckpointRow.id.desc()).limit(NEWEST))
    return tuple(
        CheckpointItem(row.slug, row.name, row.architecture, row.task, row.created_at, has_filters(row.architecture))
        for row in rows
    )


def _scans(session: Session) -> tuple[ScanItem, ...]:
    rows = session.scalars(select(ScanRow).where(ScanRow.done).order_by(ScanRow.id.desc()).limit(NEWEST))
    return tuple(
        ScanItem(row.slug, row.checkpoint, row.gallery, row.rows, len(row.layers), row.created_at) for row in rows
    )


def _jobs(session: Session) -> tuple[JobRecord, ...]:
    """The running jobs, then the waiting, then the ended ones, each newest first; NEWEST in all."""
    rank = case((JobRow.state.in_(ACTIVE), 0), (JobRow.state.not_in(ENDED), 1), else_=2)
    rows = session.scalars(select(JobRow).order_by(rank, JobRow.id.desc()).limit(NEWEST))
    return tuple(record(row) for row in rows)


def _counts(session: Session) -> dict[str, int]:
    keys: Mapping[str, InstrumentedAttribute[int]] = {
        "galleries": GalleryRow.id,
        "checkpoints": CheckpointRow.id,
        "jobs": JobRow.id,
    }
    counts = {name: session.scalar(select(func.count(key))) or 0 for name, key in keys.items()}
    return {**counts, "scans": session.scalar(select(func.count(ScanRow.id)).where(ScanRow.done)) or 0}


def _states(session: Session) -> dict[str, int]:
    rows = session.execute(select(JobRow.state, func.count()).group_by(JobRow.state))
    return {row[0]: row[1] for row in rows}


def _unscanned(session: Session) -> Unscanned | None:
    """The newest trained checkpoint and gallery for which there is no scan, finished or unfinished."""
    trained = select(CheckpointRow.slug).where(CheckpointRow.slug.not_in(UNTRAINED))
    newest = trained.order_by(CheckpointRow.id.desc()).limit(CANDIDATES)
    filled = select(GalleryRow.slug).where(GalleryRow.rows > 0).order_by(GalleryRow.id.desc()).limit(CANDIDATES)
    met = {(scan.checkpoint, scan.gallery) for scan in session.execute(select(ScanRow.checkpoint, ScanRow.gallery))}
    for spec in session.scalars(select(JobRow.spec).where(JobRow.kind == "scan", JobRow.state.not_in(ENDED))):
        met.add((str(spec.get("checkpoint")), str(spec.get("gallery"))))
    galleries = session.scalars(filled).all()
    pairs = ((checkpoint, gallery) for checkpoint in session.scalars(newest) for gallery in galleries)
    return next((Unscanned(*pair) for pair in pairs if pair not in met), None)
