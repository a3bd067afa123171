"""Nearest-neighbour accuracy counts what a loop would count."""

import numpy as np
import pytest

from models.search.knn_accuracy import gain, knn_accuracy, precision, wilson


def test_two_clouds_are_told_apart_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    clouds = (rng.normal(size=(400, 3)) + 10 * labels[:, None]).astype(np.float32)
    noise = rng.normal(size=(400, 3)).astype(np.float32)
    assert knn_accuracy(clouds[:200], labels[:200], clouds[200:], labels[200:])["value"] == 1.0
    assert knn_accuracy(noise[:200], labels[:200], noise[200:], labels[200:])["value"] == pytest.approx(0.5, abs=0.12)


def test_the_vote_meets_its_transcription() -> None:
    rng = np.random.default_rng(1)
    train, test = rng.normal(size=(40, 4)).astype(np.float32), rng.normal(size=(30, 4)).astype(np.float32)
    labels, wanted = rng.integers(0, 3, 40), rng.integers(0, 3, 30)
    right = 0
    for vector, label in zip(test, wanted, strict=True):
        order = sorted(range(40), key=lambda i: float(((train[i] - vector) ** 2).sum()))[:5]
        votes = [sum(labels[i] == c for i in order) for c in range(3)]
        right += votes.index(max(votes)) == label
    assert knn_accuracy(train, labels, test, wanted, k=5)["value"] == right / 30


def test_an_interval_of_no_successes_reaches_above_zero() -> None:
    low, high = wilson(0, 10)
    assert low == pytest.approx(0, abs=1e-9)
    assert high == pytest.approx(0.2775, abs=1e-3)


def test_too_many_neighbours_are_refused() -> None:
    with pytest.raises(ValueError, match="1 to 2"):
        knn_accuracy(
            np.zeros((2, 1), np.float32), np.zeros(2, int), np.zeros((1, 1), np.float32), np.zeros(1, int), k=3
        )


def test_precision_is_the_share_of_neighbours_of_the_same_class() -> None:
    database = np.array([[0.0], [1.0], [2.0], [9.0]], np.float32)
    labels = np.array([0, 1, 0, 0])
    found = precision(database, labels, np.array([[0.1]], np.float32), np.array([0]), k=3)
    assert found["value"] == pytest.approx(2 / 3)


def test_a_gain_counts_only_the_images_on_which_two_disagree() -> None:
    one, two = np.array([True] * 30 + [False] * 70), np.array([True] * 20 + [False] * 80)
    found = gain(one, two)
    low, high = found["interval"]  # type: ignore[misc]
    assert (found["value"], found["n"]) == (0.1, 100)
    assert 0 < low < 0.1 < high  # Wilson's intervals of .3 and .2 overlap by far


def test_two_that_never_disagree_still_have_an_interval() -> None:
    hits = np.array([True, False] * 50)
    low, high = gain(hits, hits)["interval"]  # type: ignore[misc]
    assert low == -high and 0 < high < 0.05
