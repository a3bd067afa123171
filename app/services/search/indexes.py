"""Search indexes in memory: built once per space and metric, shared by all threads, bounded in size."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from models.galleries.packs import fingerprint
from models.scans.files import ScanReader
from models.search.graphs import Graph, load_graph, save_graph
from models.search.index import EXACT_ROWS, EmbeddingIndex, Floats, Metric, build_graph, random_distances, recall

MEMORY = 2 * 1024**3  # bytes of vectors

log = logging.getLogger(__name__)


class Key(NamedTuple):
    """Identifies the embeddings that an index was built from, so that it is never used for others."""

    scan: str
    fingerprint: str
    layer: str
    metric: Metric


@dataclass(frozen=True)
class Loaded:
    """An index with the distances of random pairs in it, ascending; `recall` is None where the index is exact."""

    index: EmbeddingIndex
    pairs: Floats
    recall: float | None = None

    def percentile(self, distance: float) -> float | None:
        """The share of random pairs, 0 to 100, that are closer than this; None where there are no pairs."""
        if not len(self.pairs):
            return None
        return 100 * float(np.searchsorted(self.pairs, distance)) / len(self.pairs)

    @property
    def size(self) -> int:
        return 4 * len(self.index) * self.index.dimension


class Indexes:
    """The indexes of all scans of a server; the one not used for longest is dropped first.

    This is no `app.recent.Recent`, because indexes are bounded by their size in memory and not by their number, and
    because a graph replaces the exact index that it was built from.
    """

    def __init__(self, *, memory: int = MEMORY, exact_rows: int = EXACT_ROWS) -> None:
        self._memory = memory
        self._exact_rows = exact_rows
        self._lock = threading.Lock()
        self._known: OrderedDict[Key, Future[Loaded]] = OrderedDict()
        self._graphs: set[Key] = set()

    def get(self, scan: str, reader: ScanReader, layer: str, metric: Metric) -> Loaded:
        """The index of a layer; the first thread that asks builds it, the others wait for it."""
        key = Key(scan, _fingerprint(reader), layer, metric)
        return self._once(key, lambda: self._load(key, reader))

    def of_vectors(self, space: str, fingerprint: str, vectors: Floats) -> Loaded:
        """The index of vectors (N, D) of a space without a network; `fingerprint` is that of the gallery."""
        key = Key("", fingerprint, space, "l2")
        return self._once(key, lambda: _loaded(EmbeddingIndex(vectors, "l2")))

    def _once(self, key: Key, load: Callable[[], Loaded]) -> Loaded:
        with self._lock:
            known = self._known.get(key)
            future = known or Future()
            self._known[key] = future
            self._known.move_to_end(key)
        if known is None:
            self._fill(key, load, future)
        return future.result()

    def _fill(self, key: Key, load: Callable[[], Loaded], future: "Future[Loaded]") -> None:
        try:
            future.set_result(load())
        except BaseException as error:
            with self._lock:
                self._known.pop(key, None)
            future.set_exception(error)
            return
        with self._lock:
            self._evict(keep=key)

    def _evict(self, *, keep: Key) -> None:
        ready = {key: future.result().size for key, future in self._known.items() if future.done()}
        total = sum(ready.values())
        for key, size in ready.items():  # oldest first
            if total <= self._memory or key == keep:
                return
            del self._known[key]
            total -= size

    def _load(self, key: Key, reader: ScanReader) -> Loaded:
        large = reader.rows > self._exact_rows
        if large and (graph := load_graph(reader.folder / key.layer, key.metric, fingerprint=key.fingerprint)):
            return _loaded(graph.index, graph.recall)
        dimension = reader.layer(key.layer).units
        exact = EmbeddingIndex.of_parts(reader.embedding_parts(key.layer), dimension, key.metric)
        if large:
            self._build_later(key, reader, exact)
        return _loaded(exact)

    def _build_later(self, key: Key, reader: ScanReader, exact: EmbeddingIndex) -> None:
        """Build a graph in a thread of its own; this takes minutes, and until then every row is compared."""
        with self._lock:
            if key in self._graphs:
                return
            self._graphs.add(key)
        threading.Thread(target=self._build, args=(key, reader, exact), name="hnsw", daemon=True).start()

    def _build(self, key: Key, reader: ScanReader, exact: EmbeddingIndex) -> None:
        try:
            index = build_graph(exact)
            graph = Graph(index, recall(index, exact))
            save_graph(reader.folder / key.layer, graph, fingerprint=key.fingerprint)
            built: Future[Loaded] = Future()
            built.set_result(_loaded(graph.index, graph.recall))
            with self._lock:
                self._known[key] = built
            log.info("built the graph of %s %s (%s), recall %.3f", key.scan, key.layer, key.metric, graph.recall)
        except Exception:
            log.exception("the graph of %s %s could not be built; search stays exact", key.scan, key.layer)
        finally:
            with self._lock:
                self._graphs.discard(key)


def _loaded(index: EmbeddingIndex, recall: float | None = None) -> Loaded:
    return Loaded(index, random_distances(index), recall)


def _fingerprint(reader: ScanReader) -> str:
    info = reader.info
    return f"{info.checkpoint_sha256}-{info.precision}-{info.count_precision}-{fingerprint(info.shards)}"
