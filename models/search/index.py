"""Nearest neighbours among the embeddings of a scan: exact up to 200,000 rows, an HNSW graph above.

Malkov, Yashunin, "Efficient and Robust Approximate Nearest Neighbor Search Using Hierarchical Navigable Small World
Graphs", TPAMI 2018, https://arxiv.org/abs/1603.09320. An index is read-only once built: many threads may search it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import faiss
import numpy as np
from numpy.typing import NDArray

Metric = Literal["l2", "cosine"]
EXACT_ROWS = 200_000
NEIGHBOURS_PER_NODE = 32
BUILD_EFFORT = 100
CHUNK = 16_384  # rows brought to float32 at a time
PAIRS = 10_000  # random pairs, to which a distance is compared to see whether it is small
PAIRS_SEED = 0

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


class BadVector(ValueError):
    """A query or an embedding that cannot be compared; the message says what was expected."""


@dataclass(frozen=True)
class Neighbors:
    """Rows by increasing distance, ties by increasing row; `tied` where every row is equally far (a zero vector)."""

    rows: Rows
    distances: Floats
    tied: bool = False


class EmbeddingIndex:
    """Rows 0..N-1 of one layer under one metric.

    Distances are Euclidean for "l2" and 1 - cos for "cosine". A zero vector has no direction: its cosine distance to
    everything, zero vectors included, is 1, so that a zero query returns the first rows, all tied at 1.
    """

    def __init__(self, embeddings: NDArray[Any], metric: Metric) -> None:
        """Copy (N, D) embeddings into an exact index; raises BadVector where a row is not finite."""
        self.metric = metric
        self.native = _flat(embeddings.shape[1], metric)
        self._add(embeddings)

    @classmethod
    def of_parts(cls, parts: Iterable[NDArray[Any]], dimension: int, metric: Metric) -> "EmbeddingIndex":
        """The same from pieces in row order, each (n, D), with no more than one of them in memory besides."""
        index = cls(np.empty((0, dimension), dtype=np.float32), metric)
        for part in parts:
            index._add(part)
        return index

    @classmethod
    def wrapping(cls, index: Any, metric: Metric) -> "EmbeddingIndex":
        """Search an index that was built or read elsewhere over `comparable` vectors."""
        wrapped = cls.__new__(cls)
        wrapped.metric, wrapped.native = metric, index
        return wrapped

    def __len__(self) -> int:
        return int(self.native.ntotal)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.native.d)

    @property
    def exact(self) -> bool:
        """Whether every row is compared."""
        return not isinstance(self.native, faiss.IndexHNSW)

    def vector(self, row: int) -> Floats:
        """The row's embedding, of length 1 under cosine; raises IndexError outside 0..N-1."""
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} is not one of {len(self)} rows")
        return np.asarray(self.native.reconstruct(row), dtype=np.float32)

    def search(self, vector: Floats, k: int, *, exclude: int | None = None) -> Neighbors:
        """The k nearest rows, all of them where there are fewer, without the row `exclude`."""
        query = self._query(vector)
        if self.metric == "cosine" and not query.any():
            return self._all_tied(k, exclude)
        return self._nearest(query, k, lambda rows: rows != (-1 if exclude is None else exclude))

    def _add(self, embeddings: NDArray[Any]) -> None:
        for start in range(0, len(embeddings), CHUNK):
            self.native.add(comparable(embeddings[start : start + CHUNK], self.metric))

    def _query(self, vector: Floats) -> Floats:
        query = np.asarray(vector, dtype=np.float32)
        if query.shape != (self.dimension,):
            raise BadVector(f"expected {self.dimension} numbers, got {query.size}")
        return comparable(query[None], self.metric)

    def _nearest(self, query: Floats, k: int, keep: Callable[[Rows], NDArray[np.bool_]]) -> Neighbors:
        faiss.omp_set_num_threads(1)  # holds for the calling thread only; one query is slower on two
        if not len(self):
            return Neighbors(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
        fetch = min(k + 1, len(self))
        found, rows = self.native.search(query, fetch, params=self._effort(fetch))
        kept = (rows[0] >= 0) & keep(rows[0])  # faiss pads with -1 where it finds fewer
        rows, found = rows[0][kept], found[0][kept]
        distances = np.sqrt(np.maximum(found, 0)) if self.metric == "l2" else np.clip(1 - found, 0, 2)
        order = np.lexsort((rows, distances))[:k]
        return Neighbors(rows[order], distances[order].astype(np.float32))

    def _all_tied(self, k: int, exclude: int | None) -> Neighbors:
        rows = np.arange(min(k + 1, len(self)), dtype=np.int64)
        rows = rows[rows != exclude][:k] if exclude is not None else rows[:k]
        return Neighbors(rows, np.ones(len(rows), dtype=np.float32), tied=True)

    def _effort(self, fetch: int) -> Any:
        """How many candidates a graph search keeps: given with the call, never set on the shared index."""
        if self.exact:
            return None
        effort = faiss.SearchParametersHNSW()  # type: ignore[attr-defined]
        effort.efSearch = max(128, 2 * fetch)
        return effort


def comparable(vectors: NDArray[Any], metric: Metric) -> Floats:
    """Contiguous float32 vectors in the form the metric compares, (N, D): as they are, or scaled to length 1."""
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if not np.isfinite(vectors).all():
        raise BadVector("a vector holds NaN or infinity")
    if metric == "l2":
        return vectors
    norms = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1, keepdims=True)).astype(np.float32)
    return np.asarray(np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0), dtype=np.float32)


def build_graph(exact: EmbeddingIndex) -> EmbeddingIndex:
    """An HNSW graph over the vectors of an exact index (minutes for a million rows)."""
    faiss.omp_set_num_threads(1)
    kind = faiss.METRIC_L2 if exact.metric == "l2" else faiss.METRIC_INNER_PRODUCT
    graph = faiss.IndexHNSWFlat(exact.dimension, NEIGHBOURS_PER_NODE, kind)
    graph.hnsw.efConstruction = BUILD_EFFORT
    for start in range(0, len(exact), CHUNK):
        graph.add(exact.native.reconstruct_n(start, min(CHUNK, len(exact) - start)))
    return EmbeddingIndex.wrapping(graph, exact.metric)


def recall(graph: EmbeddingIndex, exact: EmbeddingIndex, *, k: int = 10, queries: int = 200) -> float:
    """Share of the exact k nearest neighbours that the graph finds, over evenly spread rows as queries."""
    rows = np.unique(np.linspace(0, len(exact) - 1, queries).astype(np.int64))
    hits = [
        len(np.intersect1d(graph.search(vector, k, exclude=row).rows, exact.search(vector, k, exclude=row).rows))
        for row, vector in ((int(row), exact.vector(int(row))) for row in rows)
    ]
    return float(np.sum(hits)) / (len(rows) * min(k, len(exact) - 1))


def random_distances(index: EmbeddingIndex) -> Floats:
    """The distances of random pairs of different rows, ascending: (PAIRS,), the same for the same rows; (0,) of one."""
    if len(index) < 2:
        return np.empty(0, dtype=np.float32)
    rng = np.random.default_rng(PAIRS_SEED)
    one = rng.integers(0, len(index), PAIRS)
    other = (one + rng.integers(1, len(index), PAIRS)) % len(index)
    found = [_distances(index, one[at : at + 1000], other[at : at + 1000]) for at in range(0, PAIRS, 1000)]
    return np.sort(np.concatenate(found))


def _distances(index: EmbeddingIndex, one: Rows, other: Rows) -> Floats:
    """Between the vectors of rows, pair by pair, (n,)."""
    a, b = (np.asarray(index.native.reconstruct_batch(rows), dtype=np.float32) for rows in (one, other))
    if index.metric == "l2":
        return np.asarray(np.linalg.norm(a - b, axis=1), dtype=np.float32)
    return np.asarray(np.clip(1 - (a * b).sum(axis=1), 0, 2), dtype=np.float32)


def _flat(dimension: int, metric: Metric) -> Any:
    return faiss.IndexFlatL2(dimension) if metric == "l2" else faiss.IndexFlatIP(dimension)
