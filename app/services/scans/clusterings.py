"""Clusterings of a workspace: list them, open them, look at their clusters, compare two of one gallery."""

import builtins
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from app.failures import BadQuery, Conflict, NotFound
from app.services.galleries.service import GalleriesService
from app.services.preparing import Preparing
from app.services.unknown import unknown
from app.store.engine import Store
from app.store.tables import ClusteringRow
from models.clusters.files import ClusteringReader, ClusteringUnreadable
from models.clusters.measures import agreement

OPEN = 16
COMPARED = 6  # other clusterings of the gallery that one is compared with
Order = Literal["size", "number", "tight"]
ORDERS: tuple[Order, ...] = ("size", "number", "tight")


@dataclass(frozen=True)
class ClusteringRecord:
    """A registered clustering; `folder` is absolute."""

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
class ClusteringPage:
    """Some clusterings, newest first, and the cursor of those after them."""

    clusterings: tuple[ClusteringRecord, ...]
    next: str | None


@dataclass(frozen=True)
class Commonest:
    """The label that most of a cluster's labelled images carry, and their share."""

    label: str
    share: float


@dataclass(frozen=True)
class Cluster:
    """One group: `nearest` rows by distance, `random` ones in row order; `tightness` is the mean distance."""

    number: int
    size: int
    share: float
    tightness: float
    nearest: tuple[tuple[int, float], ...]
    random: tuple[int, ...]
    commonest: Commonest | None


@dataclass(frozen=True)
class ClusterPage:
    """Some clusters of a clustering, and the cursor of those after them."""

    clusters: tuple[Cluster, ...]
    next: str | None


@dataclass(frozen=True)
class Agreement:
    """How two clusterings group the same images; both indices are 0 by chance and 1 for the same groups."""

    a: str
    b: str
    images: int
    ari: float
    ami: float


class ClusteringsService:
    """Reads of the clusterings' table and folders; opened ones are kept and shared."""

    def __init__(self, store: Store, galleries: GalleriesService, preparing: Preparing) -> None:
        self._store = store
        self._galleries = galleries
        self._preparing = preparing
        self._lock = Lock()
        self._open: OrderedDict[tuple[str, int | None], ClusteringReader] = OrderedDict()

    def list(
        self, *, scan: str | None = None, gallery: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> ClusteringPage:
        """Newest first, of one scan or gallery where asked. Raises BadQuery for a cursor not given out here."""
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
        """The slugs of all clusterings, newest first: what the menus of forms offer."""
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

    def get(self, slug: str) -> ClusteringRecord:
        """The clustering of that slug. Raises NotFound."""
        found = self.find(slug)
        if found is None:
            with self._store.read() as session:
                raise unknown(session, ClusteringRow, slug)
        return found

    def reader(self, slug: str) -> ClusteringReader:
        """The clustering, opened. Raises NotFound, and Conflict where it is damaged or its gallery has changed."""
        record = self.get(slug)
        key = (record.slug, record.job_id)
        with self._lock:
            reader = self._open.get(key)
        if reader is None:
            try:
                reader = ClusteringReader(record.folder)
                _ = reader.clusters
            except ClusteringUnreadable as error:
                raise Conflict(error.code, f"The files of {record.slug} are damaged: {error}.") from error
            with self._lock:
                self._open[key] = reader
                while len(self._open) > OPEN:
                    self._open.popitem(last=False)
        if self._galleries.get(record.gallery).shards[: len(reader.info.shards)] != reader.info.shards:
            raise Conflict("gallery_changed", f"The gallery {record.gallery} holds other images than were clustered.")
        return reader

    def clusters(
        self,
        slug: str,
        *,
        order: Order = "size",
        limit: int = 20,
        cursor: str | None = None,
        shown: int = 8,
        seed: int = 0,
    ) -> ClusterPage:
        """Some clusters with `shown` members of each kind. Raises NotFound, Conflict, BadQuery."""
        reader = self.reader(slug)
        first = 0 if cursor is None else position(cursor)
        ordered = _ordered(reader, order)
        chosen = ordered[first : first + limit]
        more = str(first + limit) if len(ordered) > first + limit else None
        return ClusterPage(tuple(self._cluster(reader, int(number), shown, seed) for number in chosen), more)

    def cluster(self, slug: str, number: int, *, shown: int = 48, seed: int = 0) -> Cluster:
        """One cluster. Raises NotFound, Conflict."""
        reader = self.reader(slug)
        if not 0 <= number < reader.k:
            raise NotFound("unknown_cluster", f"There is no cluster {number}; there are 0 to {reader.k - 1}.")
        return self._cluster(reader, number, shown, seed)

    def agreement(self, a: str, b: str) -> Agreement | None:
        """How two clusterings of one gallery agree; None while it is being computed. Raises NotFound, BadQuery."""
        found = self._agreements(a, (b,))
        return None if found is None else found[0]

    def agreements(self, slug: str) -> tuple[Agreement, ...] | None:
        """How it agrees with the newest others of its gallery; None while that is being computed."""
        page = self.list(gallery=self.get(slug).gallery, limit=COMPARED + 1)
        others = [item.slug for item in page.clusterings if item.slug != slug]
        return self._agreements(slug, tuple(others[:COMPARED]))

    def _agreements(self, slug: str, others: tuple[str, ...]) -> tuple[Agreement, ...] | None:
        one, rest = self.reader(slug), [self.reader(other) for other in others]
        for reader in rest:
            if reader.info.gallery != one.info.gallery:
                here, there = one.info, reader.info
                raise BadQuery(
                    "other_gallery", f"{slug} groups images of {here.gallery}, {there.name} those of {there.gallery}."
                )
        rows = [min(one.info.rows, reader.info.rows) for reader in rest]

        def measure() -> Mapping[str, NDArray[Any]]:
            pairs = zip(rest, rows, strict=True)
            found = [agreement(one.clusters[:count], reader.clusters[:count]) for reader, count in pairs]
            return {"found": np.array([[one["ari"], one["ami"]] for one in found]).reshape(-1, 2)}

        inputs = tuple((self.get(name).slug, self.get(name).job_id) for name in (slug, *others))
        arrays = self._preparing.get("agreement", (*inputs, tuple(rows)), measure)
        if arrays is None:
            return None
        values = zip(others, rows, arrays["found"].tolist(), strict=True)
        return tuple(Agreement(slug, other, count, ari, ami) for other, count, (ari, ami) in values)

    def _cluster(self, reader: ClusteringReader, number: int, shown: int, seed: int) -> Cluster:
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
            commonest=self._commonest(reader, members),
        )

    def _commonest(self, reader: ClusteringReader, members: NDArray[np.int64]) -> Commonest | None:
        pack = self._galleries.pack(reader.info.gallery)
        codes = pack.label_codes()[members]
        known = codes[codes >= 0]
        if not len(known):
            return None
        counts = np.bincount(known)
        best = int(counts.argmax())
        label = pack.row(int(members[np.flatnonzero(codes == best)[0]])).label
        return Commonest(label or "", float(counts[best] / len(known)))

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


def _ordered(reader: ClusteringReader, order: Order) -> NDArray[np.int64]:
    """Cluster numbers: largest first, by number, or tightest (smallest mean distance) first; empty ones last."""
    sizes = reader.sizes
    if order == "number":
        return np.arange(reader.k)
    if order == "size":
        return np.argsort(-sizes, kind="stable")
    total = np.bincount(reader.clusters, weights=np.nan_to_num(reader.distances), minlength=reader.k)
    return np.argsort(np.where(sizes > 0, total / np.maximum(sizes, 1), np.inf), kind="stable")


def position(cursor: str) -> int:
    """The number in a cursor. Raises BadQuery for one that was not given out here."""
    if not re.fullmatch(r"[0-9]{1,18}", cursor):
        raise BadQuery("bad_cursor", "This cursor is not one of ours: leave it out to begin at the start.")
    return int(cursor)
