"""Rank correlations, and what is left of them when the other predictors are held fixed. Free of torch.

Partial correlation from the inverse of the correlation matrix (Whittaker, "Graphical Models in Applied Multivariate
Statistics", 1990), on ranks; intervals by Fisher's z with the standard error 1.03 / sqrt(n - k - 3) for ranks and k
predictors held fixed (Fieller, Hartley, Pearson, Biometrika 1957).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.statistics import Doubles, Estimate, ranks


@dataclass(frozen=True)
class Follows:
    """How values follow one predictor: by itself, and with the other predictors held fixed; None where undefined."""

    alone: Estimate | None
    partial: Estimate | None


def rank_correlations(values: Doubles, predictors: Mapping[str, Doubles]) -> list[dict[str, Follows]]:
    """For each column of values (n, K): how it follows each predictor (n,), by name."""
    known = ranks(np.stack(list(predictors.values()), axis=1))  # (n, P)
    ranked = ranks(values)  # (n, K)
    return [_column(ranked[:, unit], known, list(predictors)) for unit in range(values.shape[1])]


def _column(ranked: Doubles, known: Doubles, names: list[str]) -> dict[str, Follows]:
    n, others = len(ranked), known.shape[1] - 1
    table = np.column_stack([ranked, known])
    moving = np.ptp(table, axis=0) > 0
    matrix = np.eye(len(names) + 1)
    if moving.any():
        matrix[np.ix_(moving, moving)] = np.corrcoef(table[:, moving], rowvar=False)
    regular = np.linalg.matrix_rank(matrix, tol=1e-8) == len(matrix)
    inverse = np.linalg.inv(matrix) if regular else None
    found = {}
    for place, name in enumerate(names, start=1):
        if not (moving[0] and moving[place]):
            found[name] = Follows(None, None)
            continue
        partial = None
        if inverse is not None:
            partial = _fisher(-inverse[0, place] / np.sqrt(inverse[0, 0] * inverse[place, place]), n, others)
        found[name] = Follows(_fisher(matrix[0, place], n, 0), partial)
    return found


def _fisher(r: float, n: int, fixed: int) -> Estimate | None:
    if n - fixed - 3 < 1:
        return None
    centre = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12))
    reach = 1.96 * 1.03 / np.sqrt(n - fixed - 3)
    return Estimate(float(r), float(np.tanh(centre - reach)), float(np.tanh(centre + reach)))
