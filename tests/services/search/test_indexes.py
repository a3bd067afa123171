"""Search indexes: small scans are compared row by row, large ones get a graph, built once and read back."""

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from app.services.search.indexes import Indexes
from models.atomic import write_json
from models.card import LayerCard
from models.galleries.packs import Shard
from models.scans.files import ScanInfo, ScanReader, ScanUnreadable
from models.scans.geometry import CountPath, Trunk


def write_scan(folder: Path, *, seed: int = 0) -> ScanReader:
    """A scan of 3 shards of 100 rows, with count vectors of 12 units."""
    rng = np.random.default_rng(seed)
    shards = tuple(Shard(f"shard-{index}.arrow", 100, f"{seed}{index}") for index in range(3))
    (folder / "counts").mkdir(parents=True, exist_ok=True)
    for index in range(3):
        np.save(folder / "counts" / f"embeddings-{index:05d}.npy", rng.random((100, 12), dtype=np.float32))
    info = ScanInfo(
        checkpoint="c",
        checkpoint_sha256="x",
        gallery="g",
        shards=shards,
        rows=300,
        layers=(LayerCard("counts", 12, "counts", "relu8"),),
        top_k=100,
        precision="fp32",
        count_precision="fp32",
        residual=False,
        trunk=Trunk(None, 72),
        counts=CountPath(144, 160, 72, "area"),
    )
    write_json(folder / "scan.json", {"format": 1, **asdict(info)})
    return ScanReader(folder)


def wait_for_graph(indexes: Indexes, reader: ScanReader) -> float:
    end = time.monotonic() + 60
    while (found := indexes.get("s", reader, "counts", "l2").recall) is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def test_a_small_scan_is_searched_exactly(tmp_path: Path) -> None:
    loaded = Indexes().get("s", write_scan(tmp_path), "counts", "l2")
    assert loaded.index.exact and loaded.recall is None and len(loaded.index) == 300


def test_a_large_scan_is_exact_until_its_graph_is_there(tmp_path: Path) -> None:
    reader, indexes = write_scan(tmp_path), Indexes(exact_rows=100)
    first = indexes.get("s", reader, "counts", "l2")
    assert first.index.exact
    assert wait_for_graph(indexes, reader) > 0.9
    graph = indexes.get("s", reader, "counts", "l2")
    assert not graph.index.exact
    query = reader.embedding("counts", 7)
    assert graph.index.search(query, 3).rows[0] == first.index.search(query, 3).rows[0] == 7


def test_a_graph_is_read_back_and_not_built_again(tmp_path: Path) -> None:
    reader = write_scan(tmp_path)
    wait_for_graph(Indexes(exact_rows=100), reader)
    again = Indexes(exact_rows=100).get("s", reader, "counts", "l2")
    assert not again.index.exact and again.recall is not None


def test_a_graph_of_other_embeddings_is_never_used(tmp_path: Path) -> None:
    wait_for_graph(Indexes(exact_rows=100), write_scan(tmp_path))
    other = write_scan(tmp_path, seed=1)
    assert Indexes(exact_rows=100).get("s", other, "counts", "l2").index.exact


def test_a_scan_that_changed_is_another_index(tmp_path: Path) -> None:
    indexes = Indexes()
    first = indexes.get("s", write_scan(tmp_path), "counts", "l2")
    second = indexes.get("s", write_scan(tmp_path, seed=1), "counts", "l2")
    assert first is not second
    assert not np.allclose(first.index.vector(0), second.index.vector(0))


def test_files_that_are_gone_are_an_error_and_not_a_cached_one(tmp_path: Path) -> None:
    indexes, reader = Indexes(), write_scan(tmp_path)
    part = tmp_path / "counts" / "embeddings-00001.npy"
    data = part.read_bytes()
    part.unlink()
    with pytest.raises(ScanUnreadable):
        indexes.get("s", reader, "counts", "l2")
    part.write_bytes(data)
    assert len(indexes.get("s", reader, "counts", "l2").index) == 300
