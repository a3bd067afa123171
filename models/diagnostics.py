"""What drives the size of a count vector: brightness, the mirror, the crop, and how different the units are.

Noroozi, Pirsiavash, Favaro, ICCV 2017, figures 3-6: magnitude grows with the region for images that hold much.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.measures import ACTIVE, Doubles

TOP = 8


def ranks(values: Doubles) -> Doubles:
    """Ranks from 0; ties share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    shared: Doubles = (ends - (counts + 1) / 2)[inverse]
    return shared


def correlation(one: Doubles, two: Doubles) -> float | None:
    """Pearson's r; None where one of them does not vary."""
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(two) == 0:
        return None
    return float(np.corrcoef(one, two)[0, 1])


def spearman(one: Doubles, two: Doubles) -> float | None:
    """Pearson's r of the ranks."""
    return correlation(ranks(one), ranks(two))


def cell(value: float | None, n: int) -> dict[str, Any]:
    return {"value": value, "interval": None, "n": n}


def brightness(magnitude: Doubles, crops: NDArray[np.uint8]) -> dict[str, dict[str, Any]]:
    """Correlation of |phi| with mean intensity and with RMS contrast of the crops (n, 3, s, s)."""
    gray = crops.mean(axis=1, dtype=np.float64)
    return {
        "magnitude_and_intensity": cell(correlation(magnitude, gray.mean(axis=(1, 2))), len(magnitude)),
        "magnitude_and_contrast": cell(correlation(magnitude, gray.std(axis=(1, 2))), len(magnitude)),
    }


def unit_difference(counts: Doubles) -> dict[str, dict[str, Any]]:
    """How selective active units are, and how much their top images differ; counts are (n, K).

    `top8_over_mean`: median over units of the mean of their 8 largest values over their mean. `top8_overlap`: median
    over pairs of units of the Jaccard index of their 8 top images.
    """
    mean = counts.mean(axis=0)
    active = np.flatnonzero(mean > ACTIVE * mean.max()) if mean.max() > 0 else np.empty(0, dtype=np.int64)
    order = np.argsort(-counts[:, active], axis=0, kind="stable")[:TOP]  # (8, units)
    best = np.take_along_axis(counts[:, active], order, axis=0).mean(axis=0) / mean[active]
    tops = [frozenset(column) for column in order.T]
    overlaps = [len(a & b) / len(a | b) for i, a in enumerate(tops) for b in tops[:i]]
    return {
        "top8_over_mean": cell(float(np.median(best)) if len(best) else None, len(active)),
        "top8_overlap": cell(float(np.median(overlaps)) if overlaps else None, len(active)),
    }


def crop_growth(high: Doubles, low: Doubles, areas: Doubles) -> dict[str, dict[str, Any]]:
    """Spearman of area and mean |phi| over the bins `areas`, for the images that count most and least, (n, bins) each.

    `crop_slope_high_over_low`: ratio of the slopes of mean |phi| on area. Choosing the sets by magnitude alone produces
    part of this curve, so read it beside random initialisation.
    """
    curves = high.mean(axis=0), low.mean(axis=0)
    slopes = [float(np.polyfit(areas, curve, 1)[0]) for curve in curves]
    return {
        "crop_curve_high": cell(spearman(areas, curves[0]), len(high)),
        "crop_curve_low": cell(spearman(areas, curves[1]), len(low)),
        "crop_slope_high": cell(slopes[0], len(high)),
        "crop_slope_low": cell(slopes[1], len(low)),
    }
