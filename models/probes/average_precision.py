"""Average precision as in VOC: the mean precision at each right image of a ranking. Free of torch.

Everingham, Van Gool, Williams, Winn, Zisserman, "The PASCAL Visual Object Classes (VOC) Challenge", IJCV 2010. The area
is under the uninterpolated curve; images of equal score enter together, so that a constant score has the prevalence,
whatever the order of the images.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

IGNORED: Final = -1  # neither right nor wrong for a class: VOC's "difficult", written 255 there

Doubles = NDArray[np.float64]
Present = NDArray[np.int8]


def weighted(scores: NDArray[Any], present: Present, weights: NDArray[Any]) -> Doubles:
    """AP of one class from scores (n,) and `present` (n,), which is 1, 0 or IGNORED: (R,).

    Image i is counted weights[r, i] times; NaN where no image that has the class is counted.
    """
    kept = present != IGNORED
    order = np.argsort(-scores[kept].astype(np.float64), kind="stable")
    ranked, right = scores[kept][order], (present[kept][order] == 1)
    counted = weights[:, kept][:, order].astype(np.float64)  # (R, n')
    if not len(ranked):
        return np.full(len(weights), np.nan)
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # the last image of each distinct score
    hits = np.cumsum(counted * right, axis=1)[:, ends]
    seen = np.cumsum(counted, axis=1)[:, ends]
    gained = np.diff(hits, axis=1, prepend=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(seen > 0, hits / seen, 0.0)
        total: Doubles = (gained * precision).sum(axis=1) / hits[:, -1]
    return total


def mean_ap(scores: NDArray[Any], present: Present, weights: NDArray[Any]) -> Doubles:
    """mAP over the classes of scores and present (n, C), for each row of weights (R, n): (R,).

    A class is left out where nothing right of it is counted; NaN where that holds for all.
    """
    by_class = np.stack([weighted(scores[:, c], present[:, c], weights) for c in range(scores.shape[1])])  # (C, R)
    known = ~np.isnan(by_class)
    with np.errstate(invalid="ignore"):
        means: Doubles = np.where(known, by_class, 0.0).sum(axis=0) / known.sum(axis=0)
    return means
