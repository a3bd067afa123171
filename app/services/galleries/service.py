"""The service for galleries: list them, read their images, import new images."""

import builtins
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from sqlalchemy import select

from app.failures import Conflict, NotFound
from app.jobs.records import JobRecord
from app.services.cursors import position
from app.services.jobs.service import JobsService
from app.services.jobs.submissions.import_images import GallerySource, NewGallery, UploadFrom, batch_folder, checked
from app.services.similar_names import unknown
from app.services.slugs import slug_of
from app.settings import Settings
from app.store.engine import Store
from app.store.tables import GalleryRow, ScanRow
from models.galleries.packs import Pack, PackDamaged, PackRow, Shard

SKIPPED = "skipped.jsonl"
OPEN_PACKS = 16


@dataclass(frozen=True)
class GalleryRecord:
    """A registered gallery; `folder` is absolute, `shards` are those of finished imports."""

    id: int
    slug: str
    name: str
    source: dict[str, Any]
    folder: Path
    rows: int
    skipped: int
    shards: tuple[Shard, ...]
    job_id: int | None
    created_at: datetime


@dataclass(frozen=True)
class GalleryPage:
    """Some galleries, newest first, and the cursor of the page after them; None on the last page."""

    galleries: tuple[GalleryRecord, ...]
    next: str | None


@dataclass(frozen=True)
class GalleryChoice:
    """What a menu shows of a gallery with images."""

    slug: str
    name: str
    rows: int
    source: dict[str, Any]

    @property
    def pair(self) -> tuple[str, str]:
        """The value and the text of the option in a menu."""
        return self.slug, self.name


@dataclass(frozen=True)
class ImagePage:
    """Some images of a gallery as (row, metadata), how many pass the filter, and the cursor of the next page."""

    images: tuple[tuple[int, PackRow], ...]
    total: int
    next: str | None


@dataclass(frozen=True)
class Facets:
    """The number of images by label and by split."""

    labels: dict[str, int]
    splits: dict[str, int]


@dataclass(frozen=True)
class SkippedFile:
    """A file that an import skipped, so that it has no row: a short code of the reason, and a message."""

    path: str
    reason: str
    message: str


@dataclass(frozen=True)
class SkippedPage:
    """Some of the files that imports skipped, and the cursor of the page after them; None on the last page."""

    files: tuple[SkippedFile, ...]
    next: str | None


@dataclass(frozen=True)
class Submitted:
    """A gallery and the job that fills it; `created` says whether the job is new."""

    gallery: GalleryRecord
    job: JobRecord
    created: bool


class GalleriesService:
    """Reads the galleries' table and packs, and submits imports."""

    def __init__(self, store: Store, settings: Settings, jobs: JobsService) -> None:
        self._store = store
        self._settings = settings
        self._jobs = jobs
        self._packs: dict[str, Pack] = {}
        self._lock = Lock()

    def create(self, new: NewGallery) -> Submitted:
        """Make a gallery, or find the one of that name and source.

        Raises Conflict where a gallery of another source has the name.
        """
        slug, source = slug_of(new.name, noun="gallery"), checked(self._settings, new.source)
        existing = self.find(slug)
        if existing is None:
            job, created = self._jobs.submit("import", new.model_dump(exclude_none=True))
            return Submitted(self.get(slug), job, created)
        if existing.name.casefold() != new.name.strip().casefold():
            message = f"The name is too like that of the gallery {existing.name!r}: both would have the address {slug}."
            raise Conflict("gallery_exists", message)
        if existing.source != source.model_dump(exclude_none=True) or existing.job_id is None:
            raise Conflict(
                "gallery_exists", f"There is a gallery {slug} with another source. Choose another name, or add to it."
            )
        job = self._jobs.get(existing.job_id)
        if job.state in ("failed", "cancelled"):
            job = self._jobs.resume(job.id)
        return Submitted(existing, job, False)

    def add(self, slug: str, source: GallerySource) -> Submitted:
        """Add the images of a source, except those whose path the gallery holds already. Raises NotFound."""
        self.get(slug)
        spec = {"gallery": slug, "source": source.model_dump(exclude_none=True)}
        job, created = self._jobs.submit("import", spec)
        if not created and job.state == "done" and not isinstance(source, UploadFrom):
            # The folder may have grown since that job, so it is read again by a new one.
            job, created = self._jobs.submit("import", spec, again=True)
        return Submitted(self.get(slug), job, created)

    def add_files(self, slug: str, folder: Path, batch: str) -> Submitted:
        """Add the uploaded files in `folder`, which is moved or deleted; `batch` is a hash of their names and contents.

        The same files sent again give the same job, so a client may repeat a request that got no answer.
        """
        place = batch_folder(self._settings, self.get(slug).slug, batch)
        if place.exists():
            shutil.rmtree(folder)
        else:
            folder.rename(place)
        submitted = self.add(slug, UploadFrom(kind="upload", batch=batch))
        if submitted.job.state == "done":
            shutil.rmtree(place, ignore_errors=True)
        return submitted

    def list(self, *, limit: int = 50, cursor: str | None = None) -> GalleryPage:
        """A page of galleries, newest first. Raises BadQuery for a cursor that no page gave."""
        query = select(GalleryRow).order_by(GalleryRow.id.desc()).limit(limit + 1)
        if cursor is not None:
            query = query.where(GalleryRow.id < position(cursor))
        with self._store.read() as session:
            rows = session.scalars(query).all()
        shown = rows[:limit]
        more = str(shown[-1].id) if len(rows) > limit else None
        return GalleryPage(tuple(self._record(row) for row in shown), more)

    def filled(self) -> builtins.list[GalleryChoice]:
        """All galleries with images, newest first, for the menus of forms."""
        columns = (GalleryRow.slug, GalleryRow.name, GalleryRow.rows, GalleryRow.source)
        query = select(*columns).where(GalleryRow.rows > 0).order_by(GalleryRow.id.desc())
        with self._store.read() as session:
            return [GalleryChoice(row.slug, row.name, row.rows, row.source) for row in session.execute(query)]

    def get(self, slug: str) -> GalleryRecord:
        """The gallery of that slug. Raises NotFound."""
        found = self.find(slug)
        if found is None:
            with self._store.read() as session:
                raise unknown(session, GalleryRow, slug)
        return found

    def find(self, slug: str) -> GalleryRecord | None:
        """The gallery of that slug; None where there is none."""
        with self._store.read() as session:
            row = session.scalars(select(GalleryRow).where(GalleryRow.slug == slug)).one_or_none()
        return None if row is None else self._record(row)

    def named(self, slugs: Iterable[str]) -> dict[str, GalleryRecord]:
        """The galleries of these slugs, by slug; unknown ones are left out."""
        query = select(GalleryRow).where(GalleryRow.slug.in_(set(slugs)))
        with self._store.read() as session:
            return {row.slug: self._record(row) for row in session.scalars(query)}

    def job(self, gallery: GalleryRecord) -> JobRecord | None:
        """The gallery's latest import."""
        return None if gallery.job_id is None else self._jobs.get(gallery.job_id)

    def scans(self, slug: str) -> builtins.list[tuple[str, str]]:
        """Finished scans of the gallery as (scan, checkpoint), newest first."""
        query = select(ScanRow.slug, ScanRow.checkpoint).where(ScanRow.gallery == slug, ScanRow.done)
        with self._store.read() as session:
            return [(scan, checkpoint) for scan, checkpoint in session.execute(query.order_by(ScanRow.id.desc()))]

    def pack(self, slug: str) -> Pack:
        """The pack with the shards of finished imports; it is shared, so do not close it. Raises NotFound."""
        return self.open(self.get(slug))

    def images(
        self,
        slug: str,
        *,
        limit: int = 50,
        cursor: str | None = None,
        label: str | None = None,
        split: str | None = None,
    ) -> ImagePage:
        """Images by row, from the cursor on. Raises NotFound, and BadQuery for a cursor that no page gave."""
        pack = self.pack(slug)
        first = 0 if cursor is None else position(cursor)
        rest: Sequence[int]
        with _whole(slug):
            if label is None and split is None:
                total, rest = len(pack), range(min(first, len(pack)), len(pack))
            else:
                chosen = pack.select(label, split)
                total, start = len(chosen), int(np.searchsorted(chosen, first))
                rest = chosen[start : start + limit + 1].tolist()
            shown = rest[:limit]
            images = tuple(zip(shown, pack.metadata(shown), strict=True))
        return ImagePage(images, total, str(rest[limit]) if len(rest) > limit else None)

    def facets(self, slug: str) -> Facets:
        """The labels and splits of the gallery's images, with the number of images of each. Raises NotFound."""
        pack = self.pack(slug)
        with _whole(slug):
            return Facets(pack.labels(), pack.splits())

    def image(self, slug: str, row: int) -> PackRow:
        """The metadata of one image. Raises NotFound."""
        pack = self._holding(slug, row)
        with _whole(slug):
            return pack.row(row)

    def jpeg(self, slug: str, row: int) -> bytes:
        """The stored JPEG. Raises NotFound."""
        pack = self._holding(slug, row)
        with _whole(slug):
            return pack.jpeg(row)

    def thumbnail(self, slug: str, row: int) -> bytes:
        """The WebP thumbnail. Raises NotFound."""
        pack = self._holding(slug, row)
        with _whole(slug):
            return pack.thumb(row)

    def skipped(self, slug: str, *, limit: int = 50, cursor: str | None = None) -> SkippedPage:
        """Files that imports skipped, in the order of the imports. Raises NotFound."""
        path, start = self.get(slug).folder / SKIPPED, 0 if cursor is None else position(cursor)
        if not path.exists():
            return SkippedPage((), None)
        with path.open(encoding="utf-8") as lines:
            found = [SkippedFile(**json.loads(line)) for line in islice(lines, start, start + limit + 1)]
        return SkippedPage(tuple(found[:limit]), str(start + limit) if len(found) > limit else None)

    def _holding(self, slug: str, row: int) -> Pack:
        pack = self.pack(slug)
        _check_row(slug, pack, row)
        return pack

    def open(self, gallery: GalleryRecord) -> Pack:
        """The shared pack of the gallery's current shards; do not close it. A gallery that has grown gets a new pack.

        This is no `app.recent.Recent`, which would also keep the packs of earlier states of a growing gallery.
        """
        with self._lock:
            pack = self._packs.pop(gallery.slug, None)
            if pack is None or pack.shards != gallery.shards:
                pack = Pack(gallery.folder, gallery.shards)
            self._packs[gallery.slug] = pack  # put at the end, so that the first is the least recently used
            while len(self._packs) > OPEN_PACKS:
                self._packs.pop(next(iter(self._packs)))
            return pack

    def _record(self, row: GalleryRow) -> GalleryRecord:
        return GalleryRecord(
            id=row.id,
            slug=row.slug,
            name=row.name,
            source=row.source,
            folder=self._store.path(row.folder),
            rows=row.rows,
            skipped=row.skipped,
            shards=_shards(row.shards),
            job_id=row.job_id,
            created_at=row.created_at,
        )


def stored(slug: str, pack: Pack, row: int) -> tuple[PackRow, bytes]:
    """The metadata of one image of a gallery, and its JPEG. Raises NotFound, and Conflict where files are damaged."""
    _check_row(slug, pack, row)
    with _whole(slug):
        return pack.row(row), pack.jpeg(row)


def _check_row(slug: str, pack: Pack, row: int) -> None:
    if not 0 <= row < len(pack):
        raise NotFound("unknown_row", f"The gallery {slug} has no row {row}; it has {len(pack)} images.")


def _shards(listed: Iterable[dict[str, Any]]) -> tuple[Shard, ...]:
    return tuple(Shard(shard["file"], shard["rows"], shard["sha256"]) for shard in listed)


@contextmanager
def _whole(slug: str) -> Iterator[None]:
    """Turn PackDamaged into a Conflict, whose message names the gallery."""
    try:
        yield
    except PackDamaged as error:
        raise Conflict(error.code, f"The files of the gallery {slug} are damaged: {error}.") from error
