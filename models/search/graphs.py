"""HNSW graphs on disk, beside the embeddings they were built from: a cache with a checksum, rebuilt when in doubt."""

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import faiss

from models.atomic import sync_folder, write_json
from models.card import file_sha256
from models.search.index import EmbeddingIndex, Metric


@dataclass(frozen=True)
class Graph:
    """A graph and the share of the exact 10 nearest neighbours that it found when it was built."""

    index: EmbeddingIndex
    recall: float


def save_graph(folder: Path, graph: Graph, *, fingerprint: str) -> None:
    """Write `index-<metric>.faiss`, then the note that makes it valid."""
    path = _file(folder, graph.index.metric)
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        faiss.write_index(graph.index.native, name)
        os.fsync(descriptor)
        digest = file_sha256(temporary)
        temporary.replace(path)
    finally:
        os.close(descriptor)
        temporary.unlink(missing_ok=True)
    sync_folder(folder)
    write_json(_note(path), {"fingerprint": fingerprint, "sha256": digest, "recall": graph.recall})


def load_graph(folder: Path, metric: Metric, *, fingerprint: str) -> Graph | None:
    """The graph built from the embeddings of that fingerprint; None where there is none, or where anything differs."""
    path = _file(folder, metric)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        note = json.loads(_note(path).read_text("utf-8"))
        # A damaged graph would load without a word, and one of other embeddings would name the wrong images.
        if note["fingerprint"] == fingerprint and note["sha256"] == file_sha256(path):
            return Graph(EmbeddingIndex.wrapping(faiss.read_index(str(path)), metric), float(note["recall"]))
    return None


def _file(folder: Path, metric: Metric) -> Path:
    return folder / f"index-{metric}.faiss"


def _note(path: Path) -> Path:
    return path.with_suffix(".json")
