"""The value of each unit in every image, not only in those that fire it most. Free of torch.

<layer>/maxima-00000.npy    (rows, units) float16: the largest value of a unit's map, of one shard
<layer>/places-00000.npy    (rows, units, 2) uint8 or int16: the cell (y, x) that has it
<layer>/regions.npy         (units, 4) float32: the part of the receptive field that matters, from the cell's centre

Vector layers have neither file: their values are their embeddings. Older scans, which lack these files, can still be
opened; what needs the files says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.atomic import write_bytes

HALF_MAX, HALF_LEAST = 65504.0, 2.0**-24
Halves = NDArray[np.float16]
Floats = NDArray[np.float32]
Cells = NDArray[np.integer]
REGIONS = "regions.npy"


@dataclass(frozen=True)
class Maxima:
    """One shard's spatial maxima of a conv layer, (n, U), and the cells they lie in, (n, U, 2) as (y, x)."""

    values: Halves
    cells: Cells


@dataclass(frozen=True)
class UnitMaxima:
    """One unit over all scanned images: its value in each, (rows,), and the cells (rows, 2), None without a map."""

    values: Floats
    cells: Cells | None

    def cell(self, row: int) -> tuple[int, int]:
        """The cell (y, x) that fires most in an image; (-1, -1) for layers without a map."""
        if self.cells is None:
            return (-1, -1)
        return (int(self.cells[row, 0]), int(self.cells[row, 1]))


def storable(values: Floats, ys: Cells, xs: Cells) -> Maxima:
    """Maxima (n, U) as they are kept: what is above zero stays above zero, and cells take a byte where they fit."""
    values = np.minimum(values, HALF_MAX)
    halves = np.where(values > 0, np.maximum(values, HALF_LEAST), values).astype(np.float16)
    cells = np.stack((ys, xs), axis=2)
    small = cells.size == 0 or int(cells.max()) < 256
    return Maxima(halves, cells.astype(np.uint8 if small else np.int16))


def write(folder: Path, index: int, maxima: Maxima) -> None:
    """Keep one shard's maxima in a layer's folder."""
    write_bytes(_path(folder, "maxima", index), _npy(maxima.values))
    write_bytes(_path(folder, "places", index), _npy(maxima.cells))


def write_regions(folder: Path, regions: Floats) -> None:
    write_bytes(folder / REGIONS, _npy(regions))


def read_regions(folder: Path) -> Floats:
    """(units, 4): left, top, right, bottom in input pixels from a cell's centre; NaN for units that never fire."""
    found: Floats = np.load(folder / REGIONS, allow_pickle=False)
    return found


def values(folder: Path, shards: int) -> list[Halves]:
    """The maxima of a layer, shard by shard, as memory maps (rows, units)."""
    return [np.load(_path(folder, "maxima", index), mmap_mode="r", allow_pickle=False) for index in range(shards)]


def firing(folder: Path, shards: int, unit: int) -> UnitMaxima:
    """One unit of a conv layer in every image."""
    cells = [np.load(_path(folder, "places", index), mmap_mode="r", allow_pickle=False) for index in range(shards)]
    return UnitMaxima(column(values(folder, shards), unit), np.concatenate([part[:, unit] for part in cells]))


def column(parts: Sequence[NDArray[np.floating]], unit: int) -> Floats:
    """One unit's values out of the parts of a layer, (rows,)."""
    return np.concatenate([np.asarray(part[:, unit], dtype=np.float32) for part in parts])


def _path(folder: Path, stem: str, index: int) -> Path:
    return folder / f"{stem}-{index:05d}.npy"


def _npy(array: NDArray[np.generic]) -> bytes:
    buffer = BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()
