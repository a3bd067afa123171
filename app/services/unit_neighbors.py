"""Units of a layer that fire on the same images: correlation of the columns of its pooled embeddings."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scans import ScanReader

SAMPLE = 4096  # images that are compared, evenly spread over the scan
SHOWN = 12


@dataclass(frozen=True)
class SimilarUnit:
    """Another unit of the layer, and the correlation of the two over images."""

    unit: int
    correlation: float


def columns(reader: ScanReader, layer: str) -> NDArray[np.float32]:
    """The layer's embeddings of at most SAMPLE images with zero mean and unit length by column; constant ones are 0."""
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


def _rows(reader: ScanReader, layer: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    first, parts = 0, []
    for part in reader.embedding_parts(layer):
        inside = rows[(rows >= first) & (rows < first + len(part))] - first
        parts.append(np.asarray(part[inside], dtype=np.float32))
        first += len(part)
    return np.concatenate(parts)
