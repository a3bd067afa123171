"""Statistics of each unit of a layer in a scan: the images that fire it most, a histogram, sums. Parts merge exactly.

A value is an image's spatial maximum after the ReLU. The order of a top list is (value descending, row ascending), so
that merging the parts of a scan equals one pass over all of it, also where bf16 makes many ties.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

TOP_K = 100
# Edges are fixed so that histograms of shards, layers and scans add up: 64 bins of half an octave over 2^-16 ... 2^16.
LOG_EDGES: NDArray[np.float64] = 2.0 ** np.arange(-16.0, 16.5, 0.5)
EDGES: NDArray[np.float64] = np.concatenate(([0.0], LOG_EDGES))
"""65 bins: exact zeros, then half octaves, of which the first also takes what is below and the last what is above."""
_LAST_ROW = 2**31 - 1


@dataclass(frozen=True)
class UnitTable:
    """Statistics and top lists of the U units of one layer over `images` images.

    `values, rows, ys, xs` are (U, k), best first, k = min(top, images); ys and xs are -1 for layers without a map.
    `maximum, total, active` are (U,): the largest value, the sum of values, the number of images with a value above 0.
    `histogram` is (U, 65) over EDGES.
    """

    images: int
    values: NDArray[np.float32]
    rows: NDArray[np.int32]
    ys: NDArray[np.int16]
    xs: NDArray[np.int16]
    maximum: NDArray[np.float32]
    total: NDArray[np.float64]
    active: NDArray[np.int64]
    histogram: NDArray[np.int32]

    @property
    def units(self) -> int:
        return len(self.maximum)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean over images of the per-image maximum, (U,)."""
        return self.total / max(1, self.images)

    @property
    def share_active(self) -> NDArray[np.float64]:
        """Share of images that fire the unit at all, (U,)."""
        return self.active / max(1, self.images)

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Units that no image fires, (U,)."""
        return self.maximum <= 0


def order_keys(values: NDArray[np.float32], rows: NDArray[np.integer]) -> NDArray[np.int64]:
    """Integers that sort as (value ascending, row descending): the largest key is the first of a top list."""
    # Adding zero turns -0.0 into 0.0. Bits of non-negative floats sort as integers, those of negative ones in reverse.
    bits = (values.astype(np.float32) + np.float32(0)).view(np.int32).astype(np.int64)
    bits ^= (bits >> 63) & _LAST_ROW
    return (bits << 32) | (_LAST_ROW - rows.astype(np.int64))


def merge(parts: Sequence[UnitTable], *, top: int = TOP_K) -> UnitTable:
    """The table of all parts, as if their images had been seen in one pass. Raises ValueError without parts."""
    if not parts:
        raise ValueError("there is nothing to merge")
    merged = parts[0]
    for part in parts[1:]:
        merged = _merge_two(merged, part, top)
    return merged


def _merge_two(one: UnitTable, two: UnitTable, top: int) -> UnitTable:
    values = np.concatenate((one.values, two.values), axis=1)
    rows = np.concatenate((one.rows, two.rows), axis=1)
    keep = np.argsort(-order_keys(values, rows), axis=1, kind="stable")[:, :top]

    def best(first: NDArray[np.int16], second: NDArray[np.int16]) -> NDArray[np.int16]:
        return np.take_along_axis(np.concatenate((first, second), axis=1), keep, axis=1)

    return UnitTable(
        images=one.images + two.images,
        values=np.take_along_axis(values, keep, axis=1),
        rows=np.take_along_axis(rows, keep, axis=1),
        ys=best(one.ys, two.ys),
        xs=best(one.xs, two.xs),
        maximum=np.maximum(one.maximum, two.maximum),
        total=one.total + two.total,
        active=one.active + two.active,
        histogram=one.histogram + two.histogram,
    )


def to_bytes(table: UnitTable) -> bytes:
    """The table as an .npz file."""
    buffer = BytesIO()
    arrays = {item.name: np.asarray(getattr(table, item.name)) for item in fields(UnitTable)}
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def from_bytes(data: bytes) -> UnitTable:
    """The table of an .npz file. Raises KeyError or ValueError where it is something else."""
    with np.load(BytesIO(data), allow_pickle=False) as arrays:
        found = {item.name: arrays[item.name] for item in fields(UnitTable)}
    return UnitTable(**{**found, "images": int(found["images"])})
