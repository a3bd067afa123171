"""The summary of a scan: its layers, average count vector, magnitude ranking, and how well the equation holds.

Noroozi, Pirsiavash, Favaro, "Representation Learning by Learning to Count", ICCV 2017: figures 3 (average counts) and
4 (magnitude ranking).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.active_units import active
from models.card import LayerCard
from models.scans.files import Equations, ScanReader

RANKED = 16  # images with the highest and with the lowest magnitude, as in the paper's figure
EQUATIONS = 8
BINS = 40

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LayerSummary:
    """One layer over all its units: how many are dead, the largest value, means over units.

    `mean` is the mean of the units' means; `share_active` that of the share of images that fire a unit. `region` is the
    median side, in input pixels, of the part of the receptive field that matters to a unit; None where not measured.
    """

    layer: LayerCard
    dead: int
    maximum: float
    mean: float
    share_active: float
    region: float | None


@dataclass(frozen=True)
class Counts:
    """The average count vector (K,), and the active units, largest mean first.

    A unit is active where its mean is above a thousandth of the largest mean.
    """

    average: Floats
    active: tuple[int, ...]


@dataclass(frozen=True)
class Valued:
    """A row of the gallery and the value it was ranked by."""

    row: int
    value: float


@dataclass(frozen=True)
class Ranking:
    """The images with the highest and with the lowest norm of the count vector, and the median norm of all images."""

    highest: tuple[Valued, ...]
    lowest: tuple[Valued, ...]
    median: float


@dataclass(frozen=True)
class EquationAt:
    """The counting equation on one image: `squared` and `relative` residual, and the norms of both its sides.

    `whole` is |phi(Dx)|, `total` the norm of the sum over the tiles.
    """

    row: int
    squared: float
    relative: float
    whole: float
    total: float


@dataclass(frozen=True)
class Residuals:
    """The distribution of the relative residual |phi(Dx) - s(x)|^2 / |phi(Dx)|^2, where s(x) is the sum of the tiles.

    `counts` is its histogram over `edges`. `pooled` is the sum of squared residuals over that of squared magnitudes.
    `beyond` images lie above the last edge and are counted in the last bin; `empty` images have a magnitude of zero and
    so no residual. `best` and `worst` are chosen from the `compared` images whose magnitude is at least the median.
    """

    edges: Floats
    counts: NDArray[np.int64]
    median: float
    pooled: float
    beyond: int
    empty: int
    compared: int
    best: tuple[EquationAt, ...]
    worst: tuple[EquationAt, ...]


@dataclass(frozen=True)
class ScanOverview:
    """The summary on the scan's page; all but `layers` are None where the network does not count.

    `l2` and `l1` rank images by these norms of the count vector. `residuals` is None where the scan has none.
    """

    layers: tuple[LayerSummary, ...]
    counts: Counts | None
    l2: Ranking | None
    l1: Ranking | None
    residuals: Residuals | None


def overview(reader: ScanReader) -> ScanOverview:
    """Summarise a scan. Raises ScanUnreadable and OSError where its files are damaged."""
    layers = tuple(_summary(reader, layer) for layer in reader.info.layers)
    equations = reader.equation
    residuals = None if equations is None else residuals_of(equations)
    named = next((layer.name for layer in reader.info.layers if layer.kind == "counts"), None)
    if named is None and equations is None:
        return ScanOverview(layers, None, None, None, None)
    vectors = equations.whole if equations is not None else reader.embeddings(named or "")
    return ScanOverview(
        layers=layers,
        counts=_counts(vectors),
        l2=ranking(np.linalg.norm(vectors, axis=1)),
        l1=ranking(vectors.sum(axis=1, dtype=np.float64)),
        residuals=residuals,
    )


def ranking(magnitudes: NDArray[np.floating]) -> Ranking:
    """The rows with the largest and with the smallest values; equal ones in row order."""
    descending = np.argsort(-magnitudes, kind="stable")[:RANKED]
    ascending = np.argsort(magnitudes, kind="stable")[:RANKED]

    def valued(rows: NDArray[np.intp]) -> tuple[Valued, ...]:
        return tuple(Valued(int(row), float(magnitudes[row])) for row in rows)

    return Ranking(valued(descending), valued(ascending), float(np.median(magnitudes)))


def residuals_of(equations: Equations) -> Residuals:
    """The distribution of the relative residual, and the images with the smallest and the largest."""
    whole = np.linalg.norm(equations.whole, axis=1)
    relative = equations.relative
    defined = np.isfinite(relative)
    values = relative[defined]
    high = max(1.0, float(np.quantile(values, 0.99))) if len(values) else 1.0
    edges = np.linspace(0.0, high, BINS + 1)
    counts, _ = np.histogram(np.minimum(values, high), edges)
    compared = np.flatnonzero(defined & (whole >= np.median(whole)))
    order = compared[np.argsort(relative[compared], kind="stable")]
    totals = np.linalg.norm(equations.total, axis=1)
    squared = equations.squared

    def at(row: int) -> EquationAt:
        return EquationAt(row, float(squared[row]), float(relative[row]), float(whole[row]), float(totals[row]))

    energy = float(np.square(whole, dtype=np.float64).sum())
    return Residuals(
        edges=edges,
        counts=counts,
        median=float(np.median(values)) if len(values) else float("nan"),
        pooled=float(squared.sum(dtype=np.float64)) / energy if energy > 0 else float("nan"),
        beyond=int((values > high).sum()),
        empty=int((~defined).sum()),
        compared=len(compared),
        best=tuple(at(int(row)) for row in order[:EQUATIONS]),
        worst=tuple(at(int(row)) for row in order[::-1][:EQUATIONS]),
    )


def _summary(reader: ScanReader, layer: LayerCard) -> LayerSummary:
    table = reader.units(layer.name)
    return LayerSummary(
        layer=layer,
        dead=int(table.dead.sum()),
        maximum=float(table.maximum.max()),
        mean=float(table.mean.mean()),
        share_active=float(table.share_active.mean()),
        region=_region(reader, layer.name),
    )


def _region(reader: ScanReader, layer: str) -> float | None:
    boxes = reader.regions(layer)
    if boxes is None or not np.isfinite(boxes).any():
        return None
    return float(np.nanmedian(np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))))


def _counts(vectors: NDArray[np.float32]) -> Counts:
    average = vectors.mean(axis=0, dtype=np.float64)
    units = np.flatnonzero(active(average))
    return Counts(average, tuple(int(unit) for unit in units[np.argsort(-average[units], kind="stable")]))
