"""Nearest neighbours agree with comparing every pair by hand, and survive what should not be asked."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from models.search.graphs import Graph, load_graph, save_graph
from models.search.index import BadVector, EmbeddingIndex, Metric, build_graph, recall

Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def embeddings() -> Floats:
    rng = np.random.default_rng(0)
    values = rng.random((300, 16), dtype=np.float32)
    values[values < 0.5] = 0
    return values


def by_hand(embeddings: Floats, query: Floats, metric: Metric) -> NDArray[np.float64]:
    rows = embeddings.astype(np.float64)
    if metric == "l2":
        return np.sqrt(((rows - query) ** 2).sum(axis=1))
    return 1 - rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query)


@pytest.mark.parametrize("metric", get_args(Metric))
def test_neighbours_are_those_of_comparing_every_pair(embeddings: Floats, metric: Metric) -> None:
    index = EmbeddingIndex(embeddings, metric)
    near = index.search(embeddings[7], 10, exclude=7)
    expected = by_hand(embeddings, embeddings[7].astype(np.float64), metric)
    order = [row for row in np.argsort(expected, kind="stable") if row != 7][:10]
    assert near.rows.tolist() == order
    assert near.distances == pytest.approx(expected[order], abs=1e-5)
    assert (np.diff(near.distances) >= 0).all()


@pytest.mark.parametrize("metric", get_args(Metric))
def test_a_row_finds_itself_at_distance_zero_unless_it_is_left_out(embeddings: Floats, metric: Metric) -> None:
    index = EmbeddingIndex(embeddings, metric)
    assert index.search(embeddings[3], 1).rows.tolist() == [3]
    assert index.search(embeddings[3], 1).distances[0] == pytest.approx(0, abs=1e-6)
    assert 3 not in index.search(embeddings[3], 300, exclude=3).rows


def test_the_distance_is_the_root_and_not_the_square() -> None:
    index = EmbeddingIndex(np.array([[0, 0], [3, 4]], dtype=np.float32), "l2")
    assert index.search(np.zeros(2, dtype=np.float32), 2).distances.tolist() == [0, 5]


def test_cosine_ignores_length() -> None:
    index = EmbeddingIndex(np.array([[2, 0], [0, 1], [-5, 0]], dtype=np.float32), "cosine")
    near = index.search(np.array([7, 0], dtype=np.float32), 3)
    assert near.rows.tolist() == [0, 1, 2]
    assert near.distances.tolist() == [0, 1, 2]


def test_asking_for_more_than_there_is_gives_all_and_no_ghosts(embeddings: Floats) -> None:
    index = EmbeddingIndex(embeddings, "l2")
    assert sorted(index.search(embeddings[0], 1000).rows.tolist()) == list(range(300))
    assert len(index.search(embeddings[0], 1000, exclude=0).rows) == 299


def test_ties_come_in_row_order() -> None:
    index = EmbeddingIndex(np.array([[1], [0], [1], [0]], dtype=np.float32), "l2")
    assert index.search(np.zeros(1, dtype=np.float32), 4).rows.tolist() == [1, 3, 0, 2]


def test_a_zero_vector_under_cosine_ties_with_everything() -> None:
    index = EmbeddingIndex(np.array([[1, 0], [0, 0], [0, 1]], dtype=np.float32), "cosine")
    near = index.search(np.zeros(2, dtype=np.float32), 2, exclude=0)
    assert near.tied and near.rows.tolist() == [1, 2] and near.distances.tolist() == [1, 1]
    assert not index.search(np.ones(2, dtype=np.float32), 2).tied


def test_wrong_length_says_what_was_expected(embeddings: Floats) -> None:
    with pytest.raises(BadVector, match="expected 16 numbers, got 3"):
        EmbeddingIndex(embeddings, "l2").search(np.ones(3, dtype=np.float32), 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_refused(embeddings: Floats, bad: float) -> None:
    query = np.full(16, bad, dtype=np.float32)
    with pytest.raises(BadVector, match="NaN or infinity"):
        EmbeddingIndex(embeddings, "l2").search(query, 1)
    with pytest.raises(BadVector):
        EmbeddingIndex(query[None], "l2")


def test_an_index_in_parts_is_the_index_of_the_whole(embeddings: Floats) -> None:
    whole = EmbeddingIndex(embeddings.astype(np.float16), "cosine")
    parts = EmbeddingIndex.of_parts(np.array_split(embeddings.astype(np.float16), 3), 16, "cosine")
    assert parts.search(embeddings[5], 20).rows.tolist() == whole.search(embeddings[5], 20).rows.tolist()


def test_an_empty_index_finds_nothing() -> None:
    index = EmbeddingIndex(np.empty((0, 4), dtype=np.float32), "l2")
    assert index.search(np.ones(4, dtype=np.float32), 5).rows.tolist() == []


@pytest.mark.parametrize("metric", get_args(Metric))
def test_a_graph_says_how_much_it_finds(embeddings: Floats, metric: Metric) -> None:
    exact = EmbeddingIndex(embeddings, metric)
    graph = build_graph(exact)
    assert exact.exact and not graph.exact
    assert recall(exact, exact) == 1.0
    assert recall(graph, exact) > 0.9
    found = graph.search(embeddings[0], 5, exclude=0)
    assert found.rows.tolist() == exact.search(embeddings[0], 5, exclude=0).rows.tolist()


def test_a_graph_is_only_read_back_for_the_embeddings_it_was_built_from(embeddings: Floats, tmp_path: Path) -> None:

    folder = tmp_path
    graph = Graph(build_graph(EmbeddingIndex(embeddings, "l2")), recall=0.98)
    save_graph(folder, graph, fingerprint="abc")
    read = load_graph(folder, "l2", fingerprint="abc")
    assert read is not None and read.recall == 0.98
    assert read.index.search(embeddings[0], 3).rows.tolist() == graph.index.search(embeddings[0], 3).rows.tolist()
    assert load_graph(folder, "l2", fingerprint="other") is None
    assert load_graph(folder, "cosine", fingerprint="abc") is None
    path = folder / "index-l2.faiss"
    flipped = bytearray(path.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    path.write_bytes(bytes(flipped))
    assert load_graph(folder, "l2", fingerprint="abc") is None
