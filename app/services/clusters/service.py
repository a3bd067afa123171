"""The service for clusterings: list them, open them, read their clusters, compare two of the same gallery."""

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from app.failures import BadQuery, Conflict, NotFound
from app.recent import Recent
from app.services.cursors import position
from app.services.galleries.service import GalleriesService
from app.services.preparing import Preparing
from app.services.similar_names import unknown
from app.store.engine import Store
from app.store.tables import ClusteringRow
from models.clusters.files import ClusteringInfo, ClusteringReader, ClusteringUnreadable
from models.clusters.measures import agreement
from models.galleries.packs import Pack

OPEN = 16
COMPARED = 6  # with how many others of its gallery a clustering is compared
Order = Literal["size", "number", "tight"]
ORDERS: tuple[Order, ...] = ("size", "number", "tight")


@dataclass(frozen=True)
class ClusteringRecord:
    """A registered clustering; `folder` is absolute, `k` is the number of clusters, `rows` the number of images."""

    slug: str
    scan: str
    checkpoint: str
    gallery: str
    layer: str
    method: str
    k: int
    rows: int
    folder: Path
    job_id: int | None
    created_at: datetime


@dataclass(frozen=True)
class OpenClustering:
    """A clustering whose gallery still holds its images, with its open files; it is looked up once for a request.

    `reader` and `pack` are shared between requests: do not close them.
    """

    record: ClusteringRecord
    reader: ClusteringReader
    pack: Pack

    @property
    def slug(self) -> str:
        return self.record.slug

    @property
    def info(self) -> ClusteringInfo:
        return self.reader.info


@dataclass(frozen=True)
class ClusteringPage:
    """Some clusterings, newest first, and the cursor of the page after them; None on the last page."""

    clusterings: tuple[ClusteringRecord, ...]
    next: str | None


@dataclass(frozen=True)
class Commonest:
    """The most common label of a cluster, and the share of its labelled images that carry it."""

    label: str
    share: float


@dataclass(frozen=True)
class Cluster:
    """One cluster of `size` images, which are a `share` of all.

    `nearest` are (row, distance) by distance from the centre, empty where the clustering has no centres; `random` are
    rows in row order; `tightness` is the mean distance. `commonest` is None where no image has a label.
    """

    number: int
    size: int
    share: float
    tightness: float
    nearest: tuple[tuple[int, float], ...]
    random: tuple[int, ...]
    commonest: Commonest | None


@dataclass(frozen=True)
class ClusterPage:
    """Some clusters of a clustering, and the cursor of the page after them; None on the last page."""

    clusters: tuple[Cluster, ...]
    next: str | None


@dataclass(frozen=True)
class Agreement:
    """How well two clusterings `a` and `b` agree on the images that both group.

    `ari` is the adjusted Rand index, `ami` the adjusted mutual information: 0 by chance, 1 for the same groups.
    """

    a: str
    b: str
    images: int
    ari: float
    ami: float


class ClusteringsService:
    """Reads the clusterings' table and folders; opened clusterings are kept and shared."""

    def __init__(self, store: Store, galleries: GalleriesService, preparing: Preparing) -> None:
        self._store = store
        self._galleries = galleries
        self._preparing = preparing
        self._open = Recent[tuple[str, int | None], ClusteringReader](OPEN)

    def list(
        self, *, scan: str | None = None, gallery: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> ClusteringPage:
        """A page of clusterings, of one scan or gallery where asked, newest first.

        Raises BadQuery for a cursor that no page gave.
        """
        query = select(ClusteringRow).order_by(ClusteringRow.id.desc()).limit(limit + 1)
        if scan is not None:
            query = query.where(ClusteringRow.scan == scan)
        if gallery is not None:
            query = query.where(ClusteringRow.gallery == gallery)
        if cursor is not None:
            query = query.where(ClusteringRow.id < position(cursor))
        with self._store.read() as session:
            rows = session.scalars(query).all()
        more = str(rows[limit - 1].id) if len(rows) > limit else None
        return ClusteringPage(tuple(self._record(row) for row in rows[:limit]), more)

    def choices(self) -> builtins.list[str]:
        """The slugs of all clusterings, newest first, for the menus of forms."""
        with self._store.read() as session:
            return list(session.scalars(select(ClusteringRow.slug).order_by(ClusteringRow.id.desc())))

    def fitted_elsewhere(self, checkpoint: str, gallery: str) -> builtins.list[ClusteringRecord]:
        """All clusterings of a checkpoint's features on other galleries, newest first."""
        query = select(ClusteringRow).where(ClusteringRow.checkpoint == checkpoint, ClusteringRow.gallery != gallery)
        with self._store.read() as session:
            return [self._record(row) for row in session.scalars(query.order_by(ClusteringRow.id.desc()))]

    def find(self, slug: str) -> ClusteringRecord | None:
        """The clustering of that slug, where there is one."""
        with self._store.read() as session:
            row = session.scalar(select(ClusteringRow).where(ClusteringRow.slug == slug))
        return None if row is None else self._record(row)

    def open(self, slug: str) -> OpenClustering:
        """The clustering of that slug. Raises NotFound, and Conflict where it is damaged or its gallery has changed."""
        record = self.find(slug)
        if record is None:
            with self._store.read() as session:
                raise unknown(session, ClusteringRow, slug)
        reader = self._reader(record)
        gallery = self._galleries.get(record.gallery)
        if gallery.shards[: len(reader.info.shards)] != reader.info.shards:
            raise Conflict("gallery_changed", f"The gallery {record.gallery} holds other images than were clustered.")
        return OpenClustering(record, reader, self._galleries.open(gallery))

    def _reader(self, record: ClusteringRecord) -> ClusteringReader:
        try:
            reader = self._open.get((record.slug, record.job_id), lambda: _opened(record.folder))
        except ClusteringUnreadable as error:
            raise Conflict(error.code, f"The files of {record.slug} are damaged: {error}.") from error
        return reader

    def clusters(
        self,
        clustering: OpenClustering,
        *,
        order: Order = "size",
        limit: int = 20,
        cursor: str | None = None,
        shown: int = 8,
        seed: int = 0,
    ) -> ClusterPage:
        """A page of clusters, each with `shown` nearest and `shown` random members. Raises BadQuery."""
        first = 0 if cursor is None else position(cursor)
        ordered = _ordered(clustering.reader, order)
        chosen = ordered[first : first + limit]
        more = str(first + limit) if len(ordered) > first + limit else None
        return ClusterPage(tuple(_cluster(clustering, int(number), shown, seed) for number in chosen), more)

    def cluster(self, clustering: OpenClustering, number: int, *, shown: int = 48, seed: int = 0) -> Cluster:
        """One cluster. Raises NotFound."""
        last = clustering.reader.k - 1
        if not 0 <= number <= last:
            raise NotFound("unknown_cluster", f"There is no cluster {number}; there are 0 to {last}.")
        return _cluster(clustering, number, shown, seed)

    def agreement(self, a: str, b: str) -> Agreement | None:
        """How two clusterings of one gallery agree; None while it is being computed. Raises NotFound, BadQuery."""
        found = self._agreements(self.open(a), [self.open(b)])
        return None if found is None else found[0]

    def agreements(self, clustering: OpenClustering) -> tuple[Agreement, ...] | None:
        """How it agrees with the newest other clusterings of its gallery; None while that is being computed."""
        page = self.list(gallery=clustering.record.gallery, limit=COMPARED + 1)
        others = [item for item in page.clusterings if item.slug != clustering.slug][:COMPARED]
        return self._agreements(clustering, [self._beside(clustering, other) for other in others])

    def _beside(self, clustering: OpenClustering, other: ClusteringRecord) -> OpenClustering:
        """Another clustering of the same gallery, opened. Raises Conflict."""
        reader = self._reader(other)
        if clustering.pack.shards[: len(reader.info.shards)] != reader.info.shards:
            raise Conflict("gallery_changed", f"The gallery {other.gallery} holds other images than were clustered.")
        return OpenClustering(other, reader, clustering.pack)

    def _agreements(self, one: OpenClustering, rest: Sequence[OpenClustering]) -> tuple[Agreement, ...] | None:
        for other in rest:
            if other.record.gallery != one.record.gallery:
                here, there = one.info, other.info
                message = f"{one.slug} groups images of {here.gallery}, {there.name} those of {there.gallery}."
                raise BadQuery("other_gallery", message)
        rows = [min(one.info.rows, other.info.rows) for other in rest]

        def measure() -> Mapping[str, NDArray[Any]]:
            pairs = zip(rest, rows, strict=True)
            found = [agreement(one.reader.clusters[:count], other.reader.clusters[:count]) for other, count in pairs]
            return {"found": np.array([[one["ari"], one["ami"]] for one in found]).reshape(-1, 2)}

        inputs = tuple((each.slug, each.record.job_id) for each in (one, *rest))
        arrays = self._preparing.get("agreement", (*inputs, tuple(rows)), measure)
        if arrays is None:
            return None
        values = zip(rest, rows, arrays["found"].tolist(), strict=True)
        return tuple(Agreement(one.slug, other.slug, count, ari, ami) for other, count, (ari, ami) in values)

    def _record(self, row: ClusteringRow) -> ClusteringRecord:
        return ClusteringRecord(
            slug=row.slug,
            scan=row.scan,
            checkpoint=row.checkpoint,
            gallery=row.gallery,
            layer=row.layer,
            method=row.method,
            k=row.k,
            rows=row.rows,
            folder=self._store.path(row.folder),
            job_id=row.job_id,
            created_at=row.created_at,
        )


def _opened(folder: Path) -> ClusteringReader:
    """The reader, which has already read the assignment, so that no reader of a damaged one is kept."""
    reader = ClusteringReader(folder)
    _ = reader.clusters
    return reader


def _cluster(clustering: OpenClustering, number: int, shown: int, seed: int) -> Cluster:
    reader = clustering.reader
    members = reader.members(number)
    distances = reader.distances[members]
    nearest = zip(members[:shown].tolist(), distances[:shown].tolist(), strict=True)
    return Cluster(
        number=number,
        size=len(members),
        share=len(members) / max(reader.info.rows, 1),
        tightness=float(distances.mean()) if len(members) else float("nan"),
        nearest=tuple(nearest) if reader.centres is not None else (),
        random=tuple(reader.random_members(number, shown, seed=seed).tolist()),
        commonest=_commonest(clustering.pack, members),
    )


def _commonest(pack: Pack, members: NDArray[np.int64]) -> Commonest | None:
    codes = pack.label_codes()[members]
    known = codes[codes >= 0]
    if not len(known):
        return None
    counts = np.bincount(known)
    best = int(counts.argmax())
    label = pack.row(int(members[np.flatnonzero(codes == best)[0]])).label
    return Commonest(label or "", float(counts[best] / len(known)))


def _ordered(reader: ClusteringReader, order: Order) -> NDArray[np.int64]:
    """The cluster numbers: largest first, by number, or smallest mean distance first with empty clusters last."""
    sizes = reader.sizes
    if order == "number":
        return np.arange(reader.k)
    if order == "size":
        return np.argsort(-sizes, kind="stable")
    total = np.bincount(reader.clusters, weights=np.nan_to_num(reader.distances), minlength=reader.k)
    return np.argsort(np.where(sizes > 0, total / np.maximum(sizes, 1), np.inf), kind="stable")
