"""What drives the size of a count vector: brightness, the mirror, the crop, and how different the units are.

Noroozi, Pirsiavash, Favaro, ICCV 2017, figures 3-6: magnitude grows with the region for images that hold much.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.active_units import active
from models.statistics import Doubles, bootstrapped, bootstrapped_pairs, correlation, spearman

TOP = 8


def brightness(magnitude: Doubles, crops: NDArray[np.uint8]) -> dict[str, dict[str, Any]]:
    """Correlation of |phi| with mean intensity and with RMS contrast of the crops (n, 3, s, s)."""
    gray = crops.mean(axis=1, dtype=np.float64)
    light, contrast = gray.mean(axis=(1, 2)), gray.std(axis=(1, 2))
    return {
        "magnitude_and_intensity": bootstrapped_pairs(correlation, magnitude, light),
        "magnitude_and_contrast": bootstrapped_pairs(correlation, magnitude, contrast),
    }


def unit_difference(counts: Doubles) -> dict[str, dict[str, Any]]:
    """How selective active units are, and how much their top images differ; counts are (n, K).

    `top8_over_mean`: median over units of the mean of their 8 largest values over their mean. `top8_overlap`: median
    over pairs of units of the Jaccard index of their 8 top images. Intervals are over units.
    """
    mean = counts.mean(axis=0)
    chosen = np.flatnonzero(active(mean))
    order = np.argsort(-counts[:, chosen], axis=0, kind="stable")[:TOP]  # (8, units)
    best = np.take_along_axis(counts[:, chosen], order, axis=0).mean(axis=0) / mean[chosen]
    overlaps = _overlaps(order, len(counts))

    def overlap(units: NDArray[np.int64]) -> float | None:
        pairs = units[:, None] > units  # a unit that was drawn twice is no pair
        return float(np.median(overlaps[np.ix_(units, units)][pairs])) if pairs.any() else None

    return {
        "top8_over_mean": bootstrapped(lambda units: float(np.median(best[units])), len(chosen)),
        "top8_overlap": bootstrapped(overlap, len(chosen)),
    }


def _overlaps(order: NDArray[np.int64], images: int) -> Doubles:
    """The Jaccard index of every two columns of (8, units) image numbers: (units, units)."""
    chosen = np.zeros((images, order.shape[1]))
    np.put_along_axis(chosen, order, 1.0, axis=0)
    shared = chosen.T @ chosen
    joined: Doubles = shared / (2 * len(order) - shared)
    return joined


def crop_growth(high: Doubles, low: Doubles, areas: Doubles) -> dict[str, dict[str, Any]]:
    """Spearman of area and mean |phi| over the bins `areas`, and the slope, for the images that count most and least.

    Both are (n, bins). Choosing the sets by magnitude produces part of these curves: read them beside random
    initialisation. Intervals are over images.
    """
    report = {}
    for name, curves in (("high", high), ("low", low)):

        def rank(rows: NDArray[np.int64], curves: Doubles = curves) -> float | None:
            return spearman(areas, curves[rows].mean(axis=0))

        def slope(rows: NDArray[np.int64], curves: Doubles = curves) -> float:
            return float(np.polyfit(areas, curves[rows].mean(axis=0), 1)[0])

        report[f"crop_curve_{name}"] = bootstrapped(rank, len(curves))
        report[f"crop_slope_{name}"] = bootstrapped(slope, len(curves))
    return report
