"""Units of a layer that fire on the same images, by the correlation of their values and by shared top images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scans.files import ScanReader
from models.scans.unit_tables import UnitTable

SAMPLE = 4096  # images that are compared, evenly spread over the scan
SHOWN = 12
TOP = 8  # top images of each unit that are compared


@dataclass(frozen=True)
class SimilarUnit:
    """Another unit of the layer, and the correlation of the two over images."""

    unit: int
    correlation: float


def columns(reader: ScanReader, layer: str) -> NDArray[np.float32]:
    """The layer's embeddings of at most SAMPLE images, every column with zero mean and unit length; constant ones 0."""
    rows = np.unique(np.linspace(0, reader.rows - 1, min(SAMPLE, reader.rows)).astype(np.int64))
    values = _rows(reader, layer, rows)
    values -= values.mean(axis=0)
    lengths = np.linalg.norm(values, axis=0)
    return np.asarray(values / np.where(lengths > 1e-12, lengths, np.inf), dtype=np.float32)


def similar(standardised: NDArray[np.float32], unit: int, count: int = SHOWN) -> tuple[SimilarUnit, ...]:
    """The units most correlated with one, best first; none for a unit that never changes."""
    correlations = standardised.T @ standardised[:, unit]
    correlations[unit] = -np.inf
    order = np.argsort(-correlations, kind="stable")[:count]
    return tuple(SimilarUnit(int(other), float(correlations[other])) for other in order if correlations[other] > 0)


@dataclass(frozen=True)
class Overlap:
    """Another unit of the layer: how many top images it shares with the unit, and the Jaccard index of the two sets."""

    unit: int
    shared: int
    jaccard: float


@dataclass(frozen=True)
class Overlaps:
    """How a unit's `top` top images overlap with those of the `others` other units that fire at all.

    `mean` is the mean Jaccard index over all of them; `most` are the units with the largest overlap.
    """

    top: int
    others: int
    mean: float
    most: tuple[Overlap, ...]


def overlaps(table: UnitTable, unit: int, count: int = SHOWN) -> Overlaps:
    """The Jaccard index |A and B| / |A or B| of a unit's top images with those of each other unit that fires."""
    fires = table.values[:, :TOP] > 0  # (U, 8)
    own = table.rows[unit, :TOP][fires[unit]]
    shared = (np.isin(table.rows[:, :TOP], own) & fires).sum(axis=1)
    union = fires.sum(axis=1) + len(own) - shared
    jaccard = np.where(union > 0, shared / np.maximum(union, 1), 0.0)
    others = np.flatnonzero(fires.any(axis=1) & (np.arange(table.units) != unit))
    order = others[np.argsort(-jaccard[others], kind="stable")]
    most = tuple(Overlap(int(other), int(shared[other]), float(jaccard[other])) for other in order[:count])
    mean = float(jaccard[others].mean()) if len(others) else 0.0
    return Overlaps(len(own), len(others), mean, tuple(item for item in most if item.shared))


def _rows(reader: ScanReader, layer: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    first, parts = 0, []
    for part in reader.embedding_parts(layer):
        inside = rows[(rows >= first) & (rows < first + len(part))] - first
        parts.append(np.asarray(part[inside], dtype=np.float32))
        first += len(part)
    return np.concatenate(parts)
