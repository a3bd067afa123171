"""Filters without labels or network: k-means of whitened patches, to be compared with trained filters.

Coates, Ng, "Learning Feature Representations with K-means", Neural Networks: Tricks of the Trade, 2nd ed., 2012,
https://doi.org/10.1007/978-3-642-35289-8_30. Kept from the paper: patches are normalised in brightness and contrast,
whitened by ZCA, and clustered by k-means with centroids of unit length (a patch belongs to the centroid with the
largest product in size, whatever its sign); D are the centroids, eps the regulariser of the whitening.
"""

import io
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.filters.measures import Filters

Floats = NDArray[np.float32]

PATCHES = 18_000
A_PICTURE = 40  # patches taken from one picture, at most
CONTRAST = 10 / 255  # added to a patch's deviation, so that flat patches do not become noise
EPSILON = 0.1  # of the mean variance, added to each direction's
ROUNDS = 10


def whitened_kmeans(jpegs: Iterable[bytes], *, size: int, count: int, seed: int = 0) -> Filters:
    """`count` centroids (count, 3, size, size) of unit length, the ones with the most patches first.

    Raises ValueError where the pictures give fewer patches than centroids.
    """
    rng = np.random.default_rng(seed)
    patches = np.concatenate([*_patches(jpegs, size, rng), np.zeros((0, 3 * size * size), np.float32)])
    if len(patches) < count:
        raise ValueError(f"{len(patches)} patches are too few for {count} filters")
    return kmeans(whiten(patches), count, rng).reshape(count, 3, size, size)


def _patches(jpegs: Iterable[bytes], size: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Random patches of each picture as rows (n, 3 size size) in 0..1, channel after channel."""
    for jpeg in jpegs:
        with Image.open(io.BytesIO(jpeg)) as opened:
            pixels = np.asarray(opened.convert("RGB"))
        height, width = pixels.shape[:2]
        if min(height, width) < size:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(pixels, (size, size), axis=(0, 1))  # (h, w, 3, size, size)
        ys, xs = rng.integers(0, height - size + 1, A_PICTURE), rng.integers(0, width - size + 1, A_PICTURE)
        yield windows[ys, xs].reshape(A_PICTURE, -1).astype(np.float32) / np.float32(255)


def whiten(patches: Floats) -> Floats:
    """Brightness and contrast of each patch taken out, then ZCA: (n, d) -> (n, d), about uncorrelated."""
    centred = patches - patches.mean(axis=1, keepdims=True)
    normal = centred / (centred.std(axis=1, keepdims=True) + np.float32(CONTRAST))
    normal -= normal.mean(axis=0)
    values, vectors = np.linalg.eigh((normal.T @ normal / len(normal)).astype(np.float64))
    scale = 1 / np.sqrt(np.maximum(values, 0) + EPSILON * values.mean())
    return np.asarray(normal @ ((vectors * scale) @ vectors.T).astype(np.float32))


def kmeans(points: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Centroids of unit length (count, d), by the size of their clusters; empty ones are drawn anew."""
    centres = _unit(rng.standard_normal((count, points.shape[1]), dtype=np.float32))
    sizes = np.zeros(count, dtype=np.int64)
    for _ in range(ROUNDS):
        products = points @ centres.T  # (n, d) @ (d, K)
        nearest = np.abs(products).argmax(axis=1)
        gains = products[np.arange(len(points)), nearest]
        sums = np.zeros_like(centres)
        order = np.argsort(nearest, kind="stable")
        sizes = np.bincount(nearest, minlength=count)
        filled = np.flatnonzero(sizes)
        starts = np.concatenate(([0], np.cumsum(sizes[filled])[:-1]))
        sums[filled] = np.add.reduceat(points[order] * gains[order, None], starts, axis=0)
        centres = _unit(sums + centres)  # damped, as in the paper
        empty = np.flatnonzero(sizes == 0)
        centres[empty] = _unit(points[rng.integers(0, len(points), len(empty))])
    return centres[np.argsort(-sizes, kind="stable")]


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), dtype=np.float32)
