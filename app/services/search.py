"""Nearest neighbours in a scan: of one of its rows, of an uploaded image, of a region of either, of a vector."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from app.failures import BadQuery, Conflict
from app.predictor.client import Predictor
from app.predictor.messages import NetworkRef
from app.services.checkpoints import CheckpointsService
from app.services.galleries import GalleriesService
from app.services.indexes import Indexes, Loaded
from app.services.scans import ScansService
from models.answers import Floats
from models.geometry import Box
from models.packs import Pack
from models.scans import ScanReader, ScanUnreadable
from models.search import BadVector, Metric, Neighbors, Rows


@dataclass(frozen=True)
class Asked:
    """How to search: `layer` None is the count vectors where the scan has them, else its last conv layer."""

    layer: str | None = None
    k: int = 20
    metric: Metric = "l2"
    per_source: bool = False


@dataclass(frozen=True)
class Found:
    """Rows by increasing distance, and what they were found by.

    `crop` is the part of the query image that was embedded, where that was done for this query; `recall` is None where
    every row was compared.
    """

    layer: str
    metric: Metric
    gallery: str
    rows: tuple[int, ...]
    distances: tuple[float, ...]
    crop: Box | None = None
    recall: float | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Place:
    """Where to search."""

    scan: str
    reader: ScanReader
    layer: str


@dataclass(frozen=True)
class _Query:
    """A vector, or None for that of the row `exclude`; `crop` and `warnings` tell how an image became one."""

    vector: Floats | None
    exclude: int | None = None
    crop: Box | None = None
    warnings: tuple[str, ...] = ()


class SearchService:
    """Search by the embeddings that a scan computed, and by the network that computed them."""

    def __init__(
        self,
        scans: ScansService,
        checkpoints: CheckpointsService,
        galleries: GalleriesService,
        predictor: Predictor,
        *,
        indexes: Indexes | None = None,
    ) -> None:
        self._scans = scans
        self._checkpoints = checkpoints
        self._galleries = galleries
        self._predictor = predictor
        self._indexes = indexes or Indexes()
        self._groups = lru_cache(maxsize=8)(_source_groups)

    def by_row(self, scan: str, row: int, asked: Asked, *, box: Box | None = None) -> Found:
        """Neighbours of an image of the gallery, which is left out itself, or of a box in it."""
        place = self._place(scan, asked)
        scanned = row < place.reader.rows
        if box is None and scanned:
            query = _Query(None)
        else:
            query = self._embed(place, self._galleries.jpeg(place.reader.info.gallery, row), box)
        return self._nearest(place, asked, replace(query, exclude=row if scanned else None))

    def by_image(self, scan: str, jpeg: bytes, asked: Asked, *, box: Box | None = None) -> Found:
        """Neighbours of an image that is stored as a gallery stores it, or of a box in it."""
        place = self._place(scan, asked)
        return self._nearest(place, asked, self._embed(place, jpeg, box))

    def by_vector(self, scan: str, vector: Sequence[float], asked: Asked) -> Found:
        """Neighbours of a vector of the layer's length."""
        with np.errstate(over="ignore"):
            query = np.asarray(vector, dtype=np.float64).astype(np.float32)
        return self._nearest(self._place(scan, asked), asked, _Query(query))

    def has_sources(self, reader: ScanReader) -> bool:
        """Whether several of the scanned images are known to come from one source picture."""
        groups = self._groups(self._galleries.pack(reader.info.gallery), reader.rows)
        return len(np.unique(groups)) < len(groups)

    def _place(self, scan: str, asked: Asked) -> _Place:
        reader = self._scans.reader(scan)
        return _Place(scan, reader, default_layer(reader, asked.layer))

    def _embed(self, place: _Place, jpeg: bytes, box: Box | None) -> _Query:
        answer = self._predictor.embed(self._network(place), jpeg, place.layer, box)
        return _Query(answer.vector, crop=answer.crop, warnings=("enlarged",) if answer.enlarged else ())

    def _nearest(self, place: _Place, asked: Asked, query: _Query) -> Found:
        loaded = self._load(place, asked.metric)
        try:
            near = self._search(loaded, place.reader, asked, query)
        except BadVector as error:
            raise BadQuery("bad_vector", f"Layer {place.layer}: {error}.") from error
        return Found(
            layer=place.layer,
            metric=asked.metric,
            gallery=place.reader.info.gallery,
            rows=tuple(near.rows.tolist()),
            distances=tuple(near.distances.tolist()),
            crop=query.crop,
            recall=loaded.recall,
            warnings=(*query.warnings, "zero_vector") if near.tied else query.warnings,
        )

    def _load(self, place: _Place, metric: Metric) -> Loaded:
        try:
            return self._indexes.get(place.scan, place.reader, place.layer, metric)
        except (OSError, ScanUnreadable, BadVector) as error:
            raise Conflict("scan_unreadable", f"Layer {place.layer} of this scan is damaged; scan again.") from error

    def _search(self, loaded: Loaded, reader: ScanReader, asked: Asked, query: _Query) -> Neighbors:
        vector = loaded.index.vector(query.exclude or 0) if query.vector is None else query.vector
        if not asked.per_source:
            return loaded.index.search(vector, asked.k, exclude=query.exclude)
        groups = self._groups(self._galleries.pack(reader.info.gallery), reader.rows)
        return loaded.index.search_groups(vector, asked.k, groups, exclude=query.exclude)

    def _network(self, place: _Place) -> NetworkRef:
        """The very network of the scan, in the precision that the layer was scanned in."""
        info = place.reader.info
        record = self._checkpoints.get(info.checkpoint)
        if record.sha256 != info.checkpoint_sha256:
            raise Conflict("checkpoint_changed", "This scan was made with other weights; scan the gallery again.")
        precision = info.precision if info.layer(place.layer).kind == "conv" else info.count_precision
        return NetworkRef(str(record.folder), info.checkpoint_sha256, "bf16" if precision == "bf16" else "fp32")


def default_layer(reader: ScanReader, wanted: str | None) -> str:
    """The layer to search by. Raises BadQuery naming those there are."""
    if wanted is not None:
        if wanted not in reader.layers:
            raise BadQuery("unknown_layer", f"This scan has no layer {wanted[:80]!r}: {', '.join(reader.layers)}.")
        return wanted
    by_kind = {layer.kind: layer.name for layer in reader.info.layers}  # the last of each kind
    return by_kind.get("counts") or by_kind.get("conv") or reader.layers[-1]


def _source_groups(pack: Pack, rows: int) -> Rows:
    """The source of each of the first rows as a number; a row without one is a source of its own."""
    codes = pack.sources()[:rows].astype(np.int64)
    return np.where(codes < 0, codes.max(initial=0) + 1 + np.arange(len(codes)), codes)
