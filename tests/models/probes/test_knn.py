"""Weighted neighbours vote as a loop over all pairs would let them."""

from math import exp

import numpy as np
import pytest

from models.probes.knn import knn_scores


def one_hot(labels: list[int], classes: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.eye(classes, dtype=np.int8)[labels]


def test_votes_meet_a_loop_over_all_pairs() -> None:
    rng = np.random.default_rng(0)
    database, queries = rng.normal(size=(40, 5)).astype(np.float32), rng.normal(size=(7, 5)).astype(np.float32)
    labels = rng.integers(0, 3, 40).tolist()
    found = knn_scores(database, one_hot(labels, 3), queries, k=6, temperature=0.07)
    for query, scores in zip(queries, found, strict=True):
        near = [float(query @ row / np.linalg.norm(query) / np.linalg.norm(row)) for row in database]
        votes = [0.0, 0.0, 0.0]
        for row in sorted(range(40), key=lambda row: -near[row])[:6]:
            votes[labels[row]] += exp(near[row] / 0.07)
        assert scores == pytest.approx([vote / sum(votes) for vote in votes], abs=1e-4)


def test_a_near_one_outvotes_two_far_ones_and_at_a_high_temperature_it_does_not() -> None:
    database = np.array([[1.0, 0.0], [0.6, 0.8], [0.6, -0.8]], np.float32)
    present, query = one_hot([0, 1, 1], 2), np.array([[1.0, 0.0]], np.float32)
    sharp, flat = (knn_scores(database, present, query, k=3, temperature=t)[0] for t in (0.07, 100.0))
    assert sharp[0] == pytest.approx(1 / (1 + 2 * exp(-0.4 / 0.07)), abs=1e-4)
    assert flat[1] == pytest.approx(2 / 3, abs=0.01)


def test_lengths_do_not_matter_and_nothing_is_equally_far_from_all() -> None:
    database, present = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32), one_hot([0, 1], 2)
    assert knn_scores(database * 1000, present, np.array([[0.01, 0.0]]), k=1)[0].tolist() == [1.0, 0.0]
    assert knn_scores(database, present, np.zeros((1, 2)), k=2)[0].tolist() == [0.5, 0.5]


def test_a_neighbour_votes_for_all_that_it_shows_and_for_nothing_ignored() -> None:
    present = np.array([[1, 1, -1], [1, 0, -1]], dtype=np.int8)
    found = knn_scores(np.ones((2, 2)), present, np.ones((1, 2)), k=2)[0]
    assert found.tolist() == [1.0, 0.5, 0.0]


def test_more_neighbours_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 2"):
        knn_scores(np.ones((2, 2)), one_hot([0, 1], 2), np.ones((1, 2)), k=3)
