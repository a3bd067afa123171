"""k-means, one iteration at a time: FAISS finds the nearest centres, then each centre moves to the mean of its rows.

Lloyd, "Least Squares Quantization in PCM", IEEE Transactions on Information Theory 1982; Johnson, Douze, Jégou,
"Billion-scale similarity search with GPUs", 2017, https://arxiv.org/abs/1702.08734. The loop is our own instead of
`faiss.Kmeans`, so that it can be watched, stopped and resumed within an iteration, and can read vectors from disk.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

BLOCK_NUMBERS = 1 << 25  # that are read at a time: an eighth of a gigabyte, whatever their dimension
SPLIT = 1 / 1024  # how far the two halves of a split centre are moved apart, relative to its coordinates

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]
Tick = Callable[[int], None]


class TooManyClusters(ValueError):
    """There are fewer vectors than clusters."""

    code = "k_too_large"


@dataclass(frozen=True)
class Step:
    """One iteration: centres (k, D) after it, and the sum of squared distances to the centres before it.

    `reseeded` is the number of clusters that got no row and were placed beside a large cluster.
    """

    number: int
    centres: Floats
    inertia: float
    reseeded: int


def first_centres(points: Floats, k: int, *, seed: int, spherical: bool = False) -> Floats:
    """k different rows of (n, D), drawn by the seed, as FAISS and DeepCluster begin. Raises TooManyClusters."""
    if not 1 <= k <= len(points):
        raise TooManyClusters(f"{k} clusters need at least {k} images to be fitted on, and there are {len(points)}")
    rows = np.sort(np.random.default_rng([seed, 0]).choice(len(points), k, replace=False))
    centres = np.array(points[rows], dtype=np.float32)
    return unit(centres) if spherical else centres


def kmeans(
    points: Floats,
    centres: Floats,
    *,
    iterations: int,
    seed: int,
    spherical: bool = False,
    begin: int = 0,
    tick: Tick = lambda _rows: None,
) -> Iterator[Step]:
    """Iterations `begin` + 1 to `iterations` over (n, D), from the given centres; ends early where nothing moves.

    `spherical`: centres have length 1, which for rows of length 1 is clustering by cosine. `tick` is told the rows done
    within the iteration and may raise to stop.
    """
    for number in range(begin + 1, iterations + 1):
        sums, sizes, inertia = _pass(points, centres, tick)
        filled = sizes > 0
        moved = centres.copy()
        moved[filled] = (sums[filled] / sizes[filled, None]).astype(np.float32)
        empty = _split(moved, sizes, np.random.default_rng([seed, number]))
        if spherical:
            moved = unit(moved)
        still = bool(np.array_equal(moved, centres))
        centres = moved
        yield Step(number, centres, inertia, empty)
        if still:
            return


def assign(points: NDArray[Any], centres: Floats, tick: Tick = lambda _rows: None) -> tuple[Codes, Floats]:
    """The nearest centre of each row of (n, D), by Euclidean distance, and the squared distance: (n,) each."""
    labels, distances = np.empty(len(points), np.int32), np.empty(len(points), np.float32)
    size = block_rows(centres.shape[1])
    for start in range(0, len(points), size):
        block = np.ascontiguousarray(points[start : start + size], dtype=np.float32)
        found, codes = faiss.knn(block, centres, 1)
        labels[start : start + size] = codes[:, 0]
        distances[start : start + size] = np.maximum(found[:, 0], 0)
        tick(min(start + size, len(points)))
    return labels, distances


def block_rows(dimension: int) -> int:
    """Rows of this dimension that are compared at a time."""
    return max(1024, min(BLOCK_NUMBERS // dimension, 65_536))


def unit(vectors: Floats) -> Floats:
    """Rows scaled to length 1; a zero row has no direction and stays zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1), dtype=np.float32)


def _pass(points: Floats, centres: Floats, tick: Tick) -> tuple[NDArray[np.float64], NDArray[np.int64], float]:
    """Each cluster's sum (k, D) and size (k,), and the inertia."""
    sums, sizes = np.zeros(centres.shape), np.zeros(len(centres), np.int64)
    inertia, size = 0.0, block_rows(centres.shape[1])
    for start in range(0, len(points), size):
        block = np.ascontiguousarray(points[start : start + size], dtype=np.float32)
        labels, distances = assign(block, centres)
        order = np.argsort(labels, kind="stable")
        found, first = np.unique(labels[order], return_index=True)
        sums[found] += np.add.reduceat(block[order], first, axis=0)
        sizes += np.bincount(labels, minlength=len(centres))
        inertia += float(distances.sum(dtype=np.float64))
        tick(min(start + size, len(points)))
    return sums, sizes, inertia


def _split(centres: Floats, sizes: NDArray[np.int64], rng: np.random.Generator) -> int:
    """Place each empty cluster beside a large one, drawn by size, and move both apart; returns how many there were."""
    counts = sizes.astype(np.float64)
    empty = np.flatnonzero(sizes == 0)
    signs = np.where(np.arange(centres.shape[1]) % 2 == 0, 1 + SPLIT, 1 - SPLIT).astype(np.float32)
    for cluster in empty:
        weights = np.maximum(counts - 1, 0)  # a cluster of one has nothing to give
        if weights.sum() <= 0:
            break
        large = int(rng.choice(len(counts), p=weights / weights.sum()))
        centres[cluster], centres[large] = centres[large] * signs, centres[large] * (2 - signs)
        counts[cluster] = counts[large] / 2
        counts[large] -= counts[cluster]
    return len(empty)
