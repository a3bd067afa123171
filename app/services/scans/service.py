"""The service for scans: list them, open them, and refuse those that no longer fit their checkpoint or gallery."""

import builtins
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select

from app.failures import Conflict, NotFound
from app.recent import Recent
from app.services.checkpoints.service import CheckpointRecord, CheckpointsService
from app.services.cursors import position
from app.services.galleries.service import GalleriesService, GalleryRecord
from app.services.scans.overview import ScanOverview, overview
from app.services.similar_names import unknown
from app.store.engine import Store
from app.store.tables import CheckpointRow, ScanRow
from models.card import LayerCard
from models.galleries.packs import Pack, Shard
from models.scans.files import ScanInfo, ScanReader, ScanUnreadable, covers_start

OPEN_SCANS = 16
Shards = tuple[Shard, ...]
Value = TypeVar("Value")


@dataclass(frozen=True)
class ScanRecord:
    """A registered scan; `folder` is absolute. It covers `rows` of the gallery's `gallery_rows` rows."""

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
    """What a menu shows of a finished scan."""

    slug: str
    checkpoint: str
    gallery: str


@dataclass(frozen=True)
class OpenScan:
    """A scan that fits its gallery and its weights, with its open files; it is looked up once for a request.

    `reader` and `pack` are shared between requests: do not close them. `checkpoint` is the one that was scanned.
    """

    record: ScanRecord
    reader: ScanReader
    pack: Pack
    checkpoint: CheckpointRecord

    @property
    def slug(self) -> str:
        return self.record.slug

    @property
    def gallery(self) -> str:
        return self.record.gallery

    @property
    def info(self) -> ScanInfo:
        return self.reader.info

    @property
    def spec(self) -> Mapping[str, Any]:
        """The spec of a job that extends this scan, with the same settings, over the gallery's new images."""
        info = self.info
        return {
            "checkpoint": info.checkpoint,
            "gallery": info.gallery,
            "layers": list(info.names),
            "residual": info.residual,
            "top": info.top_k,
        }

    def layer(self, name: str) -> LayerCard:
        """The card of a layer. Raises NotFound."""
        layers = self.reader.layers
        if name not in layers:
            raise NotFound("unknown_layer", f"This scan has no layer {name[:80]!r}: {', '.join(layers)}.")
        return self.reader.layer(name)


@dataclass(frozen=True)
class ScanPage:
    """Some scans, newest first, and the cursor of the page after them; None on the last page."""

    scans: tuple[ScanRecord, ...]
    next: str | None


class ScansService:
    """Reads the scans' table and folders; opened scans are kept and shared."""

    def __init__(self, store: Store, galleries: GalleriesService, checkpoints: CheckpointsService) -> None:
        self._store = store
        self._galleries = galleries
        self._checkpoints = checkpoints
        self._open = Recent[tuple[str, Shards], ScanReader](OPEN_SCANS)
        self._overviews = Recent[tuple[str, Shards], ScanOverview](OPEN_SCANS)

    def list(self, *, limit: int = 50, cursor: str | None = None) -> ScanPage:
        """A page of finished scans, newest first. Raises BadQuery for a cursor that no page gave."""
        query = select(ScanRow).where(ScanRow.done).order_by(ScanRow.id.desc()).limit(limit + 1)
        if cursor is not None:
            query = query.where(ScanRow.id < position(cursor))
        with self._store.read() as session:
            rows = session.scalars(query).all()
        shown = rows[:limit]
        galleries = self._galleries.named(row.gallery for row in shown)
        records = tuple(self._record(row, galleries.get(row.gallery)) for row in shown)
        return ScanPage(records, str(rows[limit - 1].id) if len(rows) > limit else None)

    def choices(self, task: str | None = None) -> builtins.list[ScanChoice]:
        """All finished scans, or those of a task's checkpoints, newest first, for the menus of forms."""
        columns = (ScanRow.slug, ScanRow.checkpoint, ScanRow.gallery)
        query = select(*columns).where(ScanRow.done).order_by(ScanRow.id.desc())
        if task is not None:
            query = query.join(CheckpointRow, CheckpointRow.slug == ScanRow.checkpoint)
            query = query.where(CheckpointRow.task == task)
        with self._store.read() as session:
            return [ScanChoice(row.slug, row.checkpoint, row.gallery) for row in session.execute(query)]

    def open(self, slug: str) -> OpenScan:
        """The scan of that slug. Raises NotFound, and Conflict where it no longer fits its gallery or weights."""
        with self._store.read() as session:
            row = session.scalar(select(ScanRow).where(ScanRow.slug == slug, ScanRow.done))
        if row is None:
            with self._store.read() as session:
                raise unknown(session, ScanRow, slug)
        return self._opened(row, self._galleries.find(row.gallery), self._checkpoints.find(row.checkpoint))

    def of(self, checkpoint: CheckpointRecord) -> Iterator[OpenScan]:
        """The scans of a checkpoint that still fit their gallery and its weights, newest first, opened one by one."""
        query = select(ScanRow).where(ScanRow.checkpoint == checkpoint.slug, ScanRow.done)
        with self._store.read() as session:
            rows = session.scalars(query.order_by(ScanRow.id.desc())).all()
        galleries = self._galleries.named(row.gallery for row in rows)
        for row in rows:
            with suppress(Conflict):
                yield self._opened(row, galleries.get(row.gallery), checkpoint)

    def overview(self, scan: OpenScan) -> ScanOverview:
        """The summary of the scan: layers, average counts, rankings. Raises Conflict."""
        return self._overviews.get((scan.slug, scan.record.shards), lambda: guarded(overview, scan.reader))

    def trained_on(self, scan: OpenScan) -> bool:
        """Whether the checkpoint was trained on the gallery that was scanned."""
        try:
            return self._checkpoints.read_card(scan.checkpoint).provenance.get("gallery") == scan.gallery
        except Conflict:
            return False

    def _opened(self, row: ScanRow, gallery: GalleryRecord | None, checkpoint: CheckpointRecord | None) -> OpenScan:
        record = self._record(row, gallery)
        reader = self._reader(record)
        if gallery is None or not covers_start(reader.info, gallery.shards):
            raise Conflict(
                "gallery_changed",
                f"The gallery {record.gallery} holds other images than those this scan saw. Scan it again.",
            )
        if checkpoint is None or reader.info.checkpoint_sha256 != checkpoint.sha256:
            raise Conflict(
                "checkpoint_changed", f"The weights of {record.checkpoint} are not those of this scan. Scan again."
            )
        return OpenScan(record, reader, self._galleries.open(gallery), checkpoint)

    def _reader(self, record: ScanRecord) -> ScanReader:
        try:
            return self._open.get((record.slug, record.shards), lambda: ScanReader(record.folder))
        except ScanUnreadable as error:
            raise Conflict(error.code, f"The files of the scan {record.slug} are damaged: {error}.") from error

    def _record(self, row: ScanRow, gallery: GalleryRecord | None) -> ScanRecord:
        return ScanRecord(
            slug=row.slug,
            checkpoint=row.checkpoint,
            gallery=row.gallery,
            folder=self._store.path(row.folder),
            rows=row.rows,
            gallery_rows=0 if gallery is None else sum(shard.rows for shard in gallery.shards),
            layers=tuple(row.layers),
            shards=_shards(row.shards),
            job_id=row.job_id,
            created_at=row.created_at,
        )


def guarded(read: Callable[..., Value], *arguments: object) -> Value:
    """The result of a function that reads a scan's files. Raises Conflict where they are damaged or gone."""
    try:
        return read(*arguments)
    except ScanUnreadable as error:
        raise Conflict(error.code, f"This scan cannot be read: {error}.") from error
    except (OSError, ValueError, KeyError) as error:
        raise Conflict("scan_unreadable", "The files of this scan are damaged or gone; scan again.") from error


def _shards(listed: list[Any]) -> Shards:
    return tuple(Shard(shard["file"], shard["rows"], shard["sha256"]) for shard in listed)
