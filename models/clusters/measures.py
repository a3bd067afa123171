"""How evenly a clustering is spread, and how it agrees with labels that it was not given or with another clustering.

Adjusted Rand index: Hubert, Arabie, Journal of Classification 1985. Adjusted mutual information: Vinh, Epps, Bailey,
JMLR 2010. Both are 0 for a random assignment and 1 for the same grouping. Purity is not adjusted for chance, so it is
always reported beside that of random assignments.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHUFFLES = 5  # random assignments that the measures stand beside

Codes = NDArray[np.integer[Any]]


def spread(sizes: Codes) -> dict[str, float | int]:
    """Of cluster sizes (k,): how many are empty, the largest share, the entropy in bits beside its maximum log2 k."""
    total = int(sizes.sum())
    shares = sizes[sizes > 0] / max(total, 1)
    return {
        "clusters": len(sizes),
        "empty": int((sizes == 0).sum()),
        "largest": int(sizes.max(initial=0)),
        "largest_share": float(shares.max(initial=0.0)),
        "entropy_bits": float(-(shares * np.log2(shares)).sum()) + 0.0,
        "most_bits": float(np.log2(max(len(sizes), 1))),
    }


def purity(clusters: Codes, labels: Codes) -> float:
    """The share of images that carry the commonest label of their cluster; both (n,), from 0."""
    table = np.zeros((int(clusters.max()) + 1, int(labels.max()) + 1), np.int64)
    np.add.at(table, (clusters, labels), 1)
    return float(table.max(axis=1).sum() / len(labels))


def agreement(one: Codes, other: Codes) -> dict[str, float]:
    """ARI and AMI of two groupings of the same images, (n,) each."""
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score  # here: importing it takes seconds

    return {
        "ari": float(adjusted_rand_score(one, other)),
        "ami": float(adjusted_mutual_info_score(one, other)),
    }


def nmi(one: Codes, other: Codes) -> float:
    """Normalised mutual information of two groupings, over the mean of their entropies: 1 for the same groups.

    From the counts alone, because a training asks for it at every epoch and scikit-learn takes seconds to import.
    """
    _, first = np.unique(one, return_inverse=True)
    _, second = np.unique(other, return_inverse=True)
    table = np.zeros((int(first.max()) + 1, int(second.max()) + 1))
    np.add.at(table, (first, second), 1 / len(first))
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    own = -float((rows * np.log(rows)).sum()), -float((columns * np.log(columns)).sum())
    if sum(own) == 0:
        return 1.0  # both put everything into one group
    there = table > 0
    shared = float((table[there] * np.log(table[there] / np.outer(rows, columns)[there])).sum())
    return shared / (sum(own) / 2)


def against_labels(clusters: Codes, labels: Codes, *, seed: int = 0) -> dict[str, Any] | None:
    """Purity, AMI and ARI on the images that have a label (code >= 0), beside shuffled assignments of the same sizes.

    None where fewer than two labels occur. `random` holds the mean over the shuffles.
    """
    known = labels >= 0
    clusters, labels = clusters[known], labels[known]
    if len(np.unique(labels)) < 2:
        return None
    rng = np.random.default_rng([seed, 7])
    shuffled = [_measures(rng.permutation(clusters), labels) for _ in range(SHUFFLES)]
    return {
        "images": len(labels),
        "labels": len(np.unique(labels)),
        "largest_label_share": float(np.bincount(labels).max() / len(labels)),
        **_measures(clusters, labels),
        "random": {name: float(np.mean([one[name] for one in shuffled])) for name in shuffled[0]},
        "shuffles": SHUFFLES,
    }


def _measures(clusters: Codes, labels: Codes) -> Mapping[str, float]:
    return {"purity": purity(clusters, labels), **agreement(clusters, labels)}
