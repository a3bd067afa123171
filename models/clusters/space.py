"""The space that images are clustered in: embeddings, centred and rotated by PCA where asked, brought to length 1.

Caron, Bojanowski, Joulin, Douze, "Deep Clustering for Unsupervised Learning of Visual Features", ECCV 2018,
https://arxiv.org/abs/1807.05520, whitens to 256 dimensions first; the knowledge-transfer pipeline normalises only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.clusters.kmeans import unit

BLOCK = 4096
LEAST_VARIANCE = 1e-10  # of the largest variance: a direction below it is noise, which whitening would amplify

Floats = NDArray[np.float32]


class BadSpace(ValueError):
    """The embeddings do not have as many directions as were asked for."""

    code = "bad_pca"


@dataclass(frozen=True)
class Space:
    """Subtract `mean` (D,), multiply by `matrix` (D, d), normalise; mean and matrix None: no PCA."""

    normalise: bool
    mean: Floats | None = None
    matrix: Floats | None = None

    def apply(self, embeddings: NDArray[Any]) -> Floats:
        """(n, D) -> (n, d) float32."""
        points: Floats = np.asarray(embeddings, dtype=np.float32)
        if self.mean is not None and self.matrix is not None:
            points = np.asarray((points - self.mean) @ self.matrix, dtype=np.float32)
        return unit(points) if self.normalise else points


def fit_space(
    embeddings: NDArray[Any],
    *,
    normalise: bool,
    pca: int | None = None,
    whiten: bool = False,
    tick: Callable[[int], None] = lambda _rows: None,
) -> Space:
    """The space of (n, D) embeddings; `pca` directions of largest variance, `whiten` to variance 1. Raises BadSpace."""
    if pca is None:
        return Space(normalise)
    rows, dimension = embeddings.shape
    if pca > min(dimension, rows - 1):
        raise BadSpace(f"PCA to {pca} dimensions needs {pca} of the layer's {dimension} units and {pca + 1} images")
    mean = np.zeros(dimension)
    products = np.zeros((dimension, dimension))
    for start in range(0, rows, BLOCK):
        block = np.asarray(embeddings[start : start + BLOCK], dtype=np.float64)
        mean += block.sum(axis=0)
        products += block.T @ block
        tick(min(start + BLOCK, rows))
    mean /= rows
    variances, directions = np.linalg.eigh(products / rows - np.outer(mean, mean))  # ascending
    kept, matrix = variances[::-1][:pca], directions[:, ::-1][:, :pca]
    if whiten:
        if kept[-1] <= LEAST_VARIANCE * max(kept[0], 0.0):
            raise BadSpace(f"the images vary in fewer than {pca} directions; whiten fewer")
        matrix = matrix / np.sqrt(kept)
    return Space(normalise, mean.astype(np.float32), matrix.astype(np.float32))
