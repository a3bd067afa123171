"""The best and the worst counting equations of a gallery, among images that count about as much.

By raw residual the best equations are the faintest images, by relative residual often the fullest. Within a third of
the images by |s(x)| neither can win by its size alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scans.files import Equations

NAMES = ("faint", "middle", "full")  # the thirds, by |s(x)|
EACH = 4  # best, and worst, of each


@dataclass(frozen=True)
class BandedEquation:
    """One image: its relative residual, |phi(Dx)| and |s(x)|."""

    row: int
    relative: float
    whole: float
    total: float


@dataclass(frozen=True)
class Band:
    """A third of a gallery: `low` <= |s(x)| <= `high`; best and worst by relative residual, best first, worst first.

    `images` have a relative residual; `empty` ones have none, because their whole counts nothing.
    """

    name: str
    low: float
    high: float
    images: int
    empty: int
    median: float | None
    best: tuple[BandedEquation, ...]
    worst: tuple[BandedEquation, ...]


def bands(equations: Equations, *, each: int = EACH) -> tuple[Band, ...]:
    """The thirds of the images by |s(x)|, faint first. A gallery of fewer than six images makes none."""
    totals = np.linalg.norm(equations.total, axis=1)
    if len(totals) < 2 * len(NAMES):
        return ()
    wholes, relative = np.linalg.norm(equations.whole, axis=1), equations.relative
    thirds = np.array_split(np.argsort(totals, kind="stable"), len(NAMES))
    return tuple(_band(name, rows, totals, wholes, relative, each) for name, rows in zip(NAMES, thirds, strict=True))


def _band(
    name: str,
    rows: NDArray[np.intp],
    totals: NDArray[np.float32],
    wholes: NDArray[np.float32],
    relative: NDArray[np.float32],
    each: int,
) -> Band:
    defined = rows[np.isfinite(relative[rows])]
    order = defined[np.argsort(relative[defined], kind="stable")]
    each = min(each, len(order) // 2)  # no image is among the best and the worst

    def at(row: int) -> BandedEquation:
        return BandedEquation(row, float(relative[row]), float(wholes[row]), float(totals[row]))

    return Band(
        name=name,
        low=float(totals[rows].min()),
        high=float(totals[rows].max()),
        images=len(defined),
        empty=len(rows) - len(defined),
        median=float(np.median(relative[defined])) if len(defined) else None,
        best=tuple(at(int(row)) for row in order[:each]),
        worst=tuple(at(int(row)) for row in order[len(order) - each :][::-1]),
    )
