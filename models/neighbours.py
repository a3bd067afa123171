"""20-nearest-neighbour accuracy: do images of one class lie together? Labels are used to measure, never to train."""

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]
CHUNK = 512


def knn_accuracy(
    train: Features, train_labels: NDArray[np.int64], test: Features, test_labels: NDArray[np.int64], *, k: int = 20
) -> dict[str, float | int | list[float] | None]:
    """Share of test vectors (n, D) whose k nearest training vectors (Euclidean) vote for their class.

    Ties go to the lower class number. The interval is the 95 % Wilson score interval (Wilson, JASA 1927).
    """
    if not 1 <= k <= len(train):
        raise ValueError(f"k must lie in 1 to {len(train)}, got {k}")
    classes = int(train_labels.max()) + 1
    squares = np.square(train).sum(axis=1)
    right = 0
    for start in range(0, len(test), CHUNK):
        part = test[start : start + CHUNK]
        distances = squares - 2 * part @ train.T  # (n, N); |test|^2 changes no order
        nearest = np.argpartition(distances, k - 1, axis=1)[:, :k]
        votes = np.apply_along_axis(np.bincount, 1, train_labels[nearest], minlength=classes)  # (n, classes)
        right += int((votes.argmax(axis=1) == test_labels[start : start + CHUNK]).sum())
    return {"value": right / len(test), "interval": wilson(right, len(test)), "n": len(test)}


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


def wilson(successes: int, trials: int, z: float = 1.96) -> list[float]:
    """The score interval of a share."""
    share, spread = successes / trials, z * z / trials
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * float(np.sqrt(share * (1 - share) / trials + spread / (4 * trials)))
    return [middle - half, middle + half]
