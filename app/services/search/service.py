"""The service for search: nearest neighbours in a scan of a row, an uploaded image, a region of either, or a vector."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from app.failures import BadQuery, Conflict
from app.predictor.client import Predictor
from app.services.galleries.seen import Which
from app.services.galleries.service import stored
from app.services.networks import scanned_network
from app.services.scans.service import OpenScan
from app.services.search.aids import SearchAids
from app.services.search.indexes import Indexes, Loaded
from models.answers import Floats
from models.galleries.packs import Pack
from models.geometry import Box
from models.scans.files import ScanReader, ScanUnreadable
from models.search.control_spaces import ControlSpace, control_space, control_vectors
from models.search.index import BadVector, Metric
from models.search.retrieval_facets import source_groups
from models.search.selection import Hit, Rules, select

NEIGHBOURS = 20  # how many neighbours a search returns by default
GRAPH_ROWS = 5_000  # how many neighbours are asked of a graph at most, where some of them are left out


@dataclass(frozen=True)
class SearchOptions:
    """How to search.

    `layer` is a layer or a space without a network; None is the layer that retrieves best. By default three sorts of
    rows are left out: rows seen in training where others exist (`seen`), rows of the query's own source picture
    (`same_source`), and near copies of a row that is shown (`copies`). `per_source` takes at most one row from each
    source picture. `beside` is the scan whose network tells what was seen, None for the one that is searched; two
    spaces side by side then leave out the same rows.
    """

    layer: str | None = None
    k: int = NEIGHBOURS
    metric: Metric = "l2"
    per_source: bool = False
    same_source: bool = False
    seen: Which = "unseen"
    copies: bool = False
    beside: OpenScan | None = None


@dataclass(frozen=True)
class Found:
    """Rows by increasing distance, and how they were found; `percentiles`, `copies` and `seen` have one value a row.

    A percentile is the share of random pairs of the gallery that are closer, 0 to 100. `copies` are the rows that look
    like the one shown. `crop` is the part of the query image that was embedded, None where its vector was known.
    `recall` is that of an approximate search, None where every row was compared. `apart` says that rows of the query's
    own source are left out, `unseen` that rows seen in training are. `pending` names what is still being prepared and
    is therefore not left out yet: "seen", "copies".
    """

    layer: str
    metric: Metric
    gallery: str
    rows: tuple[int, ...]
    distances: tuple[float, ...]
    percentiles: tuple[float | None, ...] = ()
    copies: tuple[tuple[int, ...], ...] = ()
    seen: tuple[bool, ...] = ()
    crop: Box | None = None
    recall: float | None = None
    warnings: tuple[str, ...] = ()
    apart: bool = False
    unseen: bool = False
    pending: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Place:
    """Where to search: a layer of the scan, or a space without a network over its gallery."""

    scan: OpenScan
    layer: str

    @property
    def reader(self) -> ScanReader:
        return self.scan.reader

    @property
    def pack(self) -> Pack:
        return self.scan.pack


@dataclass(frozen=True)
class _Query:
    """A query: a vector, or None for the vector of the scanned `row`.

    `crop` is the part of the image that was embedded; `warnings` say what was unusual about embedding it.
    """

    vector: Floats | None
    row: int | None = None
    crop: Box | None = None
    warnings: tuple[str, ...] = ()


class SearchService:
    """Searches the embeddings of a scan; images that it does not know are embedded by the network that was scanned."""

    def __init__(self, predictor: Predictor, aids: SearchAids, *, indexes: Indexes | None = None) -> None:
        self._predictor = predictor
        self._aids = aids
        self._indexes = indexes or Indexes()
        self._groups = lru_cache(maxsize=8)(source_groups)
        self._several = lru_cache(maxsize=8)(_several)

    def by_row(self, scan: OpenScan, row: int, asked: SearchOptions, *, box: Box | None = None) -> Found:
        """Neighbours of an image of the gallery, or of a box in it; the image itself is left out."""
        place = self._place(scan, asked)
        if box is None and row < place.reader.rows:
            query = _Query(None)
        else:
            _, jpeg = stored(scan.gallery, scan.pack, row)
            query = self._embed(place, jpeg, box)
        return self._nearest(place, asked, replace(query, row=row))

    def by_image(self, scan: OpenScan, jpeg: bytes, asked: SearchOptions, *, box: Box | None = None) -> Found:
        """Neighbours of a JPEG that was made as a gallery stores its images, or of a box in it."""
        place = self._place(scan, asked)
        return self._nearest(place, asked, self._embed(place, jpeg, box))

    def by_vector(self, scan: OpenScan, vector: Sequence[float], asked: SearchOptions) -> Found:
        """Neighbours of a vector with one value for each unit of the layer."""
        with np.errstate(over="ignore"):
            query = np.asarray(vector, dtype=np.float64).astype(np.float32)
        return self._nearest(self._place(scan, asked), asked, _Query(query))

    def has_sources(self, scan: OpenScan) -> bool:
        """Whether several of the scanned images are known to come from one source picture."""
        return self._several(scan.pack, scan.reader.rows)

    def _place(self, scan: OpenScan, asked: SearchOptions) -> _Place:
        return _Place(scan, self._aids.layer(scan, asked.layer))

    def _embed(self, place: _Place, jpeg: bytes, box: Box | None) -> _Query:
        if (space := control_space(place.layer)) is not None:
            return _look(jpeg, space, box)
        network = scanned_network(place.scan.checkpoint, place.scan.info, place.layer)
        answer = self._predictor.embed(network, jpeg, place.layer, box)
        return _Query(answer.vector, crop=answer.crop, warnings=("enlarged",) if answer.enlarged else ())

    def _nearest(self, place: _Place, asked: SearchOptions, query: _Query) -> Found:
        loaded = self._load(place, asked.metric)
        seen = self._aids.seen(asked.beside or place.scan, place.reader.rows)
        hashes = None if asked.copies else self._aids.hashes(place.scan)
        rules = replace(self._rules(place, asked, query), allowed=seen.unseen(asked.seen), hashes=hashes)
        try:
            hits, tied = self._search(loaded, query, asked.k, rules)
        except BadVector as error:
            raise BadQuery("bad_vector", f"Layer {place.layer}: {error}.") from error
        waiting = {"seen": seen.preparing, "copies": hashes is None and not asked.copies}
        return Found(
            layer=place.layer,
            metric=loaded.index.metric,
            gallery=place.scan.gallery,
            rows=tuple(hit.row for hit in hits),
            distances=tuple(hit.distance for hit in hits),
            percentiles=tuple(loaded.percentile(hit.distance) for hit in hits),
            copies=tuple(hit.copies for hit in hits),
            seen=tuple(hit.row in seen for hit in hits),
            crop=query.crop,
            recall=loaded.recall,
            warnings=(*query.warnings, "zero_vector") if tied else query.warnings,
            apart=rules.apart is not None,
            unseen=rules.allowed is not None,
            pending=tuple(name for name, is_waiting in waiting.items() if is_waiting),
        )

    def _rules(self, place: _Place, asked: SearchOptions, query: _Query) -> Rules:
        if not self.has_sources(place.scan):
            return Rules(query=query.row)
        groups = self._groups(place.pack, len(place.pack))
        own = None if asked.same_source or query.row is None else int(groups[query.row])
        apart = own if (groups == own).sum() > 1 else None
        sources = groups[: place.reader.rows] if apart is not None or asked.per_source else None
        return Rules(query=query.row, sources=sources, apart=apart, one_a_source=asked.per_source)

    def _load(self, place: _Place, metric: Metric) -> Loaded:
        if (space := control_space(place.layer)) is not None:
            vectors = self._aids.control(place.scan, space)
            return self._indexes.of_vectors(space, f"{place.pack.fingerprint}-{len(vectors)}", vectors)
        try:
            return self._indexes.get(place.scan.slug, place.reader, place.layer, metric)
        except (OSError, ScanUnreadable, BadVector) as error:
            raise Conflict("scan_unreadable", f"Layer {place.layer} of this scan is damaged; scan again.") from error

    def _search(self, loaded: Loaded, query: _Query, k: int, rules: Rules) -> tuple[tuple[Hit, ...], bool]:
        index = loaded.index
        vector = index.vector(query.row or 0) if query.vector is None else query.vector
        rows = len(index) if index.exact else min(len(index), max(GRAPH_ROWS, k + 1))
        return select(lambda count: index.search(vector, count), rows, k, rules)


def _several(pack: Pack, rows: int) -> bool:
    groups = source_groups(pack, rows)
    return len(np.unique(groups)) < len(groups)


def _look(jpeg: bytes, space: ControlSpace, box: Box | None) -> _Query:
    """The query of an image in a space without a network, which uses all of the image and not its central square.

    Raises BadQuery where the box is not inside the image.
    """
    try:
        vectors, seen = control_vectors(jpeg, box)
    except ValueError as error:
        raise BadQuery("bad_box", f"{error}.") from error
    return _Query(vectors[space], crop=seen)
