"""20-nearest-neighbour accuracy: are images of one class near each other? Labels only measure, they train nothing."""

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]
CHUNK = 512


def knn_hits(
    train: Features, train_labels: NDArray[np.int64], test: Features, test_labels: NDArray[np.int64], *, k: int = 20
) -> NDArray[np.bool_]:
    """For which test vectors (n, D) the k nearest training vectors (Euclidean) vote for their class: (n,).

    Ties go to the lower class number.
    """
    if not 1 <= k <= len(train):
        raise ValueError(f"k must lie in 1 to {len(train)}, got {k}")
    classes = int(train_labels.max()) + 1
    squares = np.square(train).sum(axis=1)
    hits = np.zeros(len(test), dtype=bool)
    for start in range(0, len(test), CHUNK):
        part = test[start : start + CHUNK]
        distances = squares - 2 * part @ train.T  # (n, N); |test|^2 changes no order
        nearest = np.argpartition(distances, k - 1, axis=1)[:, :k]
        votes = np.apply_along_axis(np.bincount, 1, train_labels[nearest], minlength=classes)  # (n, classes)
        hits[start : start + CHUNK] = votes.argmax(axis=1) == test_labels[start : start + CHUNK]
    return hits


def knn_accuracy(
    train: Features, train_labels: NDArray[np.int64], test: Features, test_labels: NDArray[np.int64], *, k: int = 20
) -> dict[str, float | int | list[float] | None]:
    """Share of test vectors (n, D) whose k nearest training vectors (Euclidean) vote for their class."""
    return share_of(knn_hits(train, train_labels, test, test_labels, k=k))


def share_of(hits: NDArray[np.bool_]) -> dict[str, float | int | list[float] | None]:
    """The share that is true, with the 95 % Wilson score interval (Wilson, JASA 1927)."""
    right = int(hits.sum())
    return {"value": right / len(hits), "interval": wilson(right, len(hits)), "n": len(hits)}


def gain(
    hits: NDArray[np.bool_], others: NDArray[np.bool_], *, z: float = 1.96
) -> dict[str, float | int | list[float] | None]:
    """How much larger a share is than another of the same images, with the 95 % interval of the paired difference.

    Only images on which the two disagree count (McNemar, Psychometrika 1947): b for one alone, c for the other alone;
    the variance of (b - c) / n is (b + c - (b - c)^2 / n) / n^2. Half an image is added to each of the four cells
    (Agresti, Min, Statistics in Medicine 2005), so that two that never disagree have an interval of some width.
    """
    n = len(hits)
    alone, other = int((hits & ~others).sum()), int((~hits & others).sum())
    b, c, m = alone + 0.5, other + 0.5, n + 2
    middle = (b - c) / m
    half = z * float(np.sqrt(b + c - (b - c) ** 2 / m)) / m
    return {"value": (alone - other) / n, "interval": [middle - half, middle + half], "n": n}


def precision(
    database: Features, labels: NDArray[np.int64], queries: Features, wanted: NDArray[np.int64], *, k: int = 5
) -> dict[str, float | int | list[float] | None]:
    """Mean share of the k nearest vectors of the database (Euclidean) that have the query's class."""
    squares = np.square(database).sum(axis=1)
    shares = np.empty(len(queries))
    for start in range(0, len(queries), CHUNK):
        distances = squares - 2 * queries[start : start + CHUNK] @ database.T
        nearest = np.argpartition(distances, k - 1, axis=1)[:, :k]
        shares[start : start + CHUNK] = (labels[nearest] == wanted[start : start + CHUNK, None]).mean(axis=1)
    error = 1.96 * float(shares.std()) / float(np.sqrt(len(shares)))
    mean = float(shares.mean())
    return {"value": mean, "interval": [mean - error, mean + error], "n": len(shares)}


def wilson(successes: float, trials: int, z: float = 1.96) -> list[float]:
    """The score interval of a share."""
    share, spread = successes / trials, z * z / trials
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * float(np.sqrt(share * (1 - share) / trials + spread / (4 * trials)))
    return [middle - half, middle + half]
