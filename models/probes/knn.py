"""Weighted nearest neighbours: each of the k nearest votes with exp(cosine / T). Free of torch.

Wu, Xiong, Yu, Lin, "Unsupervised Feature Learning via Non-Parametric Instance Discrimination", CVPR 2018,
https://arxiv.org/abs/1805.01978, section 3.4: k = 200 and T = .07 there; k = 20 here, for galleries of thousands.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

K: Final = 20
TEMPERATURE: Final = 0.07
CHUNK: Final = 512

Floats = NDArray[np.float32]


def knn_scores(
    database: NDArray[Any],
    present: NDArray[np.int8],
    queries: NDArray[Any],
    *,
    k: int = K,
    temperature: float = TEMPERATURE,
) -> Floats:
    """Each query's share of votes for each class: database (N, D), present (N, C), queries (n, D) -> (n, C).

    Vectors are compared by the cosine; of two equally near the lower row votes. A class that is not present, or
    ignored, gets nothing from a neighbour. Raises ValueError where there are fewer than k rows.
    """
    if not 1 <= k <= len(database):
        raise ValueError(f"k must lie in 1 to {len(database)}, got {k}")
    stored, asked = _unit(database), _unit(queries)
    votes = (present == 1).astype(np.float32)
    found = np.empty((len(asked), votes.shape[1]), dtype=np.float32)
    for start in range(0, len(asked), CHUNK):
        near = asked[start : start + CHUNK] @ stored.T  # (n, N)
        nearest = np.argsort(-near, axis=1, kind="stable")[:, :k]
        weights = np.exp((np.take_along_axis(near, nearest, axis=1) - 1) / temperature)  # at most 1
        weights /= weights.sum(axis=1, keepdims=True)
        found[start : start + CHUNK] = np.einsum("nk,nkc->nc", weights, votes[nearest])
    return found


def _unit(vectors: NDArray[Any]) -> Floats:
    """Each vector divided by its length; a zero vector stays zero, and is equally far from everything."""
    floats = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(floats, axis=1, keepdims=True)
    return np.asarray(np.divide(floats, lengths, out=np.zeros_like(floats), where=lengths > 0), dtype=np.float32)
