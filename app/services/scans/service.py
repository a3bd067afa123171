"""Scans of a workspace: list them, open them, and refuse those that no longer fit their checkpoint or gallery."""

import builtins
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.failures import BadQuery, Conflict, NotFound
from app.services.checkpoints.service import CheckpointsService
from app.services.galleries.service import GalleriesService
from app.services.scans.overview import Overview, overview
from app.services.unknown import unknown
from app.settings import Settings
from app.store.engine import Store
from app.store.tables import CheckpointRow, GalleryRow, ScanRow
from models.galleries.packs import Shard
from models.scans.files import ScanReader, ScanUnreadable, covers_start

OPEN_SCANS = 16
Shards = tuple[Shard, ...]
Value = TypeVar("Value")


@dataclass(frozen=True)
class ScanRecord:
    """A registered scan; `folder` is absolute. `rows` of the gallery's `gallery_rows` are covered."""

    slug: str
    checkpoint: str
    gallery: str
    folder: Path
    rows: int
    gallery_rows: int
    layers: tuple[str, ...]
    shards: Shards
    job_id: int | None
    created_at: datetime

    @property
    def complete(self) -> bool:
        return self.rows >= self.gallery_rows


@dataclass(frozen=True)
class ScanChoice:
    """A finished scan, as far as a menu has to know it."""

    slug: str
    checkpoint: str
    gallery: str


@dataclass(frozen=True)
class ScanPage:
    """Some scans, newest first, and the cursor of those after them."""

    scans: tuple[ScanRecord, ...]
    next: str | None


class ScansService:
    """Reads of the scans' table and folders; opened scans are kept and shared."""

    def __init__(
        self, store: Store, settings: Settings, galleries: GalleriesService, checkpoints: CheckpointsService
    ) -> None:
        self._store = store
        self._settings = settings
        self._galleries = galleries
        self._checkpoints = checkpoints
        self._lock = Lock()
        self._open: OrderedDict[tuple[str, Shards], ScanReader] = OrderedDict()
        self._overviews: OrderedDict[tuple[str, Shards], Overview] = OrderedDict()

    def list(self, *, limit: int = 50, cursor: str | None = None) -> ScanPage:
        """Newest first. Raises BadQuery for a cursor that was not given out here."""
        query = select(ScanRow).where(ScanRow.done).order_by(ScanRow.id.desc()).limit(limit + 1)
        if cursor is not None:
            query = query.where(ScanRow.id < _position(cursor))
        with self._store.read() as session:
            rows = session.scalars(query).all()
            shown = tuple(self._record(row, _gallery_shards(session, row.gallery)) for row in rows[:limit])
        return ScanPage(shown, str(rows[limit - 1].id) if len(rows) > limit else None)

    def choices(self, task: str | None = None) -> builtins.list[ScanChoice]:
        """All finished scans, or those by checkpoints of a task, newest first: what the menus of forms offer."""
        columns = (ScanRow.slug, ScanRow.checkpoint, ScanRow.gallery)
        query = select(*columns).where(ScanRow.done).order_by(ScanRow.id.desc())
        if task is not None:
            query = query.join(CheckpointRow, CheckpointRow.slug == ScanRow.checkpoint)
            query = query.where(CheckpointRow.task == task)
        with self._store.read() as session:
            return [ScanChoice(row.slug, row.checkpoint, row.gallery) for row in session.execute(query)]

    def get(self, slug: str) -> ScanRecord:
        """The scan of that slug. Raises NotFound, and Conflict where it fits its gallery or weights no longer."""
        with self._store.read() as session:
            row = session.scalar(select(ScanRow).where(ScanRow.slug == slug, ScanRow.done))
            gallery = () if row is None else _gallery_shards(session, row.gallery)
            weights = (
                None
                if row is None
                else session.scalar(select(CheckpointRow.sha256).where(CheckpointRow.slug == row.checkpoint))
            )
        if row is None:
            with self._store.read() as session:
                raise unknown(session, ScanRow, slug)
        record = self._record(row, gallery)
        reader = self._reader(record)
        if not covers_start(reader.info, gallery):
            raise Conflict(
                "gallery_changed",
                f"The gallery {record.gallery} holds other images than those this scan saw. Scan it again.",
            )
        if reader.info.checkpoint_sha256 != weights:
            raise Conflict(
                "checkpoint_changed", f"The weights of {record.checkpoint} are not those of this scan. Scan again."
            )
        return record

    def reader(self, slug: str) -> ScanReader:
        """The scan, opened; shared between requests. Raises NotFound, Conflict."""
        return self._reader(self.get(slug))

    def overview(self, slug: str) -> Overview:
        """What the scan says as a whole: layers, average counts, rankings. Raises NotFound, Conflict."""
        record = self.get(slug)
        key = (slug, record.shards)
        with self._lock:
            known = self._overviews.get(key)
        if known is None:
            known = guarded(overview, self._reader(record))
            with self._lock:
                _keep(self._overviews, key, known)
        return known

    def spec(self, slug: str) -> Mapping[str, Any]:
        """The spec that scans the gallery's new images in the same way. Raises NotFound, Conflict."""
        info = self.reader(slug).info
        return {
            "checkpoint": info.checkpoint,
            "gallery": info.gallery,
            "layers": list(info.names),
            "residual": info.residual,
            "top": info.top_k,
        }

    def trained_on(self, record: ScanRecord) -> bool:
        """Whether the checkpoint was trained on the very gallery that was scanned."""
        try:
            return self._checkpoints.card(record.checkpoint).provenance.get("gallery") == record.gallery
        except (NotFound, Conflict):
            return False

    def _reader(self, record: ScanRecord) -> ScanReader:
        key = (record.slug, record.shards)
        with self._lock:
            reader = self._open.get(key)
        if reader is None:
            try:
                reader = ScanReader(record.folder)
            except ScanUnreadable as error:
                raise Conflict(error.code, f"The files of the scan {record.slug} are damaged: {error}.") from error
            with self._lock:
                _keep(self._open, key, reader)
        return reader

    def _record(self, row: ScanRow, gallery: Shards) -> ScanRecord:
        return ScanRecord(
            slug=row.slug,
            checkpoint=row.checkpoint,
            gallery=row.gallery,
            folder=self._store.path(row.folder),
            rows=row.rows,
            gallery_rows=sum(shard.rows for shard in gallery),
            layers=tuple(row.layers),
            shards=_shards(row.shards),
            job_id=row.job_id,
            created_at=row.created_at,
        )


def guarded(read: Callable[..., Value], *arguments: object) -> Value:
    """Call a function that reads a scan's files. Raises Conflict where they are damaged or gone."""
    try:
        return read(*arguments)
    except ScanUnreadable as error:
        raise Conflict(error.code, f"This scan cannot be read: {error}.") from error
    except (OSError, ValueError, KeyError) as error:
        raise Conflict("scan_unreadable", "The files of this scan are damaged or gone; scan again.") from error


def _keep(cache: "OrderedDict[tuple[str, Shards], Value]", key: tuple[str, Shards], value: Value) -> None:
    cache[key] = value
    while len(cache) > OPEN_SCANS:
        cache.popitem(last=False)


def _gallery_shards(session: Session, slug: str) -> Shards:
    return _shards(session.scalar(select(GalleryRow.shards).where(GalleryRow.slug == slug)) or [])


def _shards(listed: list[Any]) -> Shards:
    return tuple(Shard(shard["file"], shard["rows"], shard["sha256"]) for shard in listed)


def _position(cursor: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", cursor):
        raise BadQuery("bad_cursor", "This cursor is not one of ours: leave it out to begin at the start.")
    return int(cursor)
