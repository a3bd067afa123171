"""The files of a scan and how they are read: unit tables, embeddings, count equations. Free of torch.

scan.json                          what was scanned and how; written last, so a folder without it is not yet a scan
shard-00000.json                   this shard is complete; a resumed scan goes on after the complete shards
<layer>/embeddings-00000.npy       (rows, units) float16, count vectors float32
<layer>/units-00000.npz            unit tables of one shard; units.npz: of all
<layer>/maxima-00000.npy ...       the value of each unit of a conv layer in every image: see models/scans/maxima.py
counts/equation-00000.npz          phi(Dx), sum_j phi(T_j x) and their relative residual, where it was asked for
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.atomic import write_bytes, write_json
from models.card import LayerCard
from models.galleries.packs import Shard
from models.geometry import Box, count_crop
from models.scans import maxima as scan_maxima
from models.scans.geometry import CountPath, Trunk, receptive_box
from models.scans.maxima import Floats, Maxima, UnitMaxima
from models.scans.unit_tables import UnitTable, from_bytes, merge, to_bytes

SCAN = "scan.json"
FORMAT = 1
POOLING, MEAN = "mean after ReLU", "mean over the map"  # the latter where some layers are read at other places


class ScanUnreadable(ValueError):
    """The folder holds no finished scan, or files that do not belong together."""

    code = "scan_unreadable"


@dataclass(frozen=True)
class ScanInfo:
    """What was scanned and how, as in scan.json. `layers` in forward order; `rows` is what the shards hold together.

    `maxima`: whether each unit's value in every image was kept; `regions`: whether the part of its receptive field that
    matters was kept too.
    """

    checkpoint: str
    checkpoint_sha256: str
    gallery: str
    shards: tuple[Shard, ...]
    rows: int
    layers: tuple[LayerCard, ...]
    top_k: int
    precision: str
    count_precision: str
    residual: bool
    trunk: Trunk
    counts: CountPath | None
    pooling: str = POOLING
    seconds: float = 0.0
    maxima: bool = False
    regions: bool = False
    architecture: str = ""  # of the checkpoint; empty where an older scan does not say

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(layer.name for layer in self.layers)

    def layer(self, name: str) -> LayerCard:
        """The layer of that name. Raises KeyError with the names there are."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(f"no layer {name!r} in this scan; there are: {', '.join(self.names)}")


@dataclass(frozen=True)
class Equations:
    """Both sides of every image's counting equation: phi(Dx) and s(x) = sum_j phi(T_j x), (n, K) each."""

    whole: NDArray[np.float32]
    total: NDArray[np.float32]

    @property
    def squared(self) -> NDArray[np.float32]:
        """|phi(Dx) - s(x)|^2, (n,)."""
        return np.asarray(np.square(self.whole - self.total).sum(axis=1))

    @property
    def relative(self) -> NDArray[np.float32]:
        """The same over |phi(Dx)|^2, (n,); NaN where the whole counts nothing."""
        size = np.square(self.whole).sum(axis=1)
        return np.where(size > 0, self.squared / np.where(size > 0, size, 1), np.nan).astype(np.float32)


@dataclass(frozen=True)
class LayerPart:
    """The results of one shard for one layer."""

    embeddings: NDArray[Any]
    table: UnitTable
    maxima: Maxima | None = None


class ScanWriter:
    """Writes a scan, shard by shard, each wholly or not at all.

    `how` distinguishes scans that must not be mixed (checkpoint, precision, layers ...): a shard counts as finished
    only where it was scanned in the same way.
    """

    def __init__(self, folder: Path, how: Mapping[str, Any]) -> None:
        self.folder, self._how = folder, dict(how)
        folder.mkdir(parents=True, exist_ok=True)

    def has(self, index: int, shard: Shard) -> bool:
        """Whether this very shard was finished earlier."""
        mark = self._read(index)
        return all(mark.get(key) == value for key, value in self._finished(shard).items())

    def seconds(self, shards: int) -> float:
        """What the first `shards` shards took, over all attempts."""
        return sum(float(self._read(index).get("seconds", 0.0)) for index in range(shards))

    def write(
        self,
        index: int,
        shard: Shard,
        layers: Mapping[str, LayerPart],
        equation: Equations | None,
        *,
        seconds: float = 0.0,
    ) -> None:
        for name, part in layers.items():
            write_bytes(self.folder / name / f"embeddings-{index:05d}.npy", _npy(part.embeddings))
            write_bytes(self.folder / name / f"units-{index:05d}.npz", to_bytes(part.table))
            if part.maxima is not None:
                scan_maxima.write(self.folder / name, index, part.maxima)
        if equation is not None:
            write_bytes(self.folder / "counts" / f"equation-{index:05d}.npz", _equation_bytes(equation))
        write_json(self.folder / _mark(index), {**self._finished(shard), "seconds": round(seconds, 3)})

    def merged(self, name: str, info: ScanInfo) -> UnitTable:
        """One layer's table over all shards."""
        parts = [from_bytes(path.read_bytes()) for path in _parts(self.folder / name, "units", "npz", info)]
        return merge(parts, top=info.top_k)

    def finish(self, info: ScanInfo, regions: Mapping[str, Floats] | None = None) -> None:
        """Merge the shards' tables, write the units' regions, then write scan.json, which completes the scan."""
        for name in info.names:
            write_bytes(self.folder / name / "units.npz", to_bytes(self.merged(name, info)))
        for name, boxes in (regions or {}).items():
            scan_maxima.write_regions(self.folder / name, boxes)
        write_json(self.folder / SCAN, {"format": FORMAT, **asdict(info)})

    def _read(self, index: int) -> dict[str, Any]:
        try:
            mark = json.loads((self.folder / _mark(index)).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return mark if isinstance(mark, dict) else {}

    def _finished(self, shard: Shard) -> dict[str, Any]:
        return {"shard": asdict(shard), "how": self._how}


def read_info(folder: Path) -> ScanInfo:
    """Read scan.json. Raises ScanUnreadable."""
    try:
        raw = json.loads((folder / SCAN).read_text("utf-8"))
        if raw.pop("format") != FORMAT:
            raise ScanUnreadable("this scan was written by another version of Tessera")
        counts = CountPath(**raw["counts"]) if raw["counts"] else None
        shards = tuple(Shard(**shard) for shard in raw["shards"])
        layers = tuple(LayerCard(**layer) for layer in raw["layers"])
        return ScanInfo(**{**raw, "counts": counts, "shards": shards, "layers": layers, "trunk": Trunk(**raw["trunk"])})
    except (OSError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, ScanUnreadable):
            raise
        raise ScanUnreadable(f"no readable {SCAN}: {type(error).__name__}") from error


class ScanReader:
    """A finished scan. Everything is read when it is first needed; tables are kept, embeddings stay on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.info = read_info(folder)
        self._tables: dict[str, UnitTable] = {}
        self._regions: dict[str, Floats] = {}

    @property
    def rows(self) -> int:
        return self.info.rows

    @property
    def layers(self) -> tuple[str, ...]:
        return self.info.names

    def layer(self, name: str) -> LayerCard:
        return self.info.layer(name)

    def units(self, name: str) -> UnitTable:
        """Statistics and top lists of a layer. Raises KeyError for an unknown one, ScanUnreadable."""
        self.layer(name)
        if name not in self._tables:
            with _whole(name):
                table = from_bytes((self.folder / name / "units.npz").read_bytes())
            if table.images != self.rows:
                raise ScanUnreadable("this scan is being extended, or an extension was cut short: run it again")
            self._tables[name] = table
        return self._tables[name]

    def embedding_parts(self, name: str) -> Iterator[NDArray[Any]]:
        """A layer's embeddings, shard by shard, in row order, as memory maps: (rows, units)."""
        self.layer(name)
        for path in _parts(self.folder / name, "embeddings", "npy", self.info):
            with _whole(name):
                part: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
            yield part

    def embeddings(self, name: str) -> NDArray[np.float32]:
        """All of a layer's embeddings in memory: (rows, units) float32."""
        return np.concatenate([np.asarray(part, dtype=np.float32) for part in self.embedding_parts(name)])

    def embedding(self, name: str, row: int) -> NDArray[np.float32]:
        """One image's embedding: (units,) float32. Raises IndexError for a row that was not scanned."""
        if not 0 <= row < self.rows:
            raise IndexError(f"row {row} is not among the {self.rows} scanned")
        first = 0
        for part in self.embedding_parts(name):
            if row < first + len(part):
                return np.asarray(part[row - first], dtype=np.float32)
            first += len(part)
        raise ScanUnreadable(f"the embeddings of {name} do not cover row {row}")

    def maxima(self, name: str) -> NDArray[np.float32] | None:
        """The value of every unit of a layer in each image, (rows, units); None where the scan did not keep it."""
        if self.layer(name).kind != "conv":
            return self.embeddings(name)
        if not self.info.maxima:
            return None
        with _whole(name):
            parts = scan_maxima.values(self.folder / name, len(self.info.shards))
            return np.concatenate([np.asarray(part, dtype=np.float32) for part in parts])

    def firing(self, name: str, unit: int) -> UnitMaxima | None:
        """One unit in every image, with the cells that fire; None where the scan did not keep it."""
        if self.layer(name).kind != "conv":
            return UnitMaxima(scan_maxima.column(list(self.embedding_parts(name)), unit), None)
        if not self.info.maxima:
            return None
        with _whole(name):
            return scan_maxima.firing(self.folder / name, len(self.info.shards), unit)

    def regions(self, name: str) -> Floats | None:
        """The part of the receptive field that matters to each unit, (units, 4); None where it is not known."""
        if self.layer(name).kind != "conv" or not self.info.regions:
            return None
        if name not in self._regions:
            with _whole(name):
                self._regions[name] = scan_maxima.read_regions(self.folder / name)
        return self._regions[name]

    def embedding_dtype(self, name: str) -> np.dtype[Any]:
        return np.dtype(np.float32 if self.layer(name).kind == "counts" else np.float16)

    @cached_property
    def equation(self) -> Equations | None:
        """The counting equation of every image, where the scan computed it."""
        if not self.info.residual:
            return None
        wholes, totals = [], []
        for path in _parts(self.folder / "counts", "equation", "npz", self.info):
            with _whole("counts"), np.load(path, allow_pickle=False) as arrays:
                wholes.append(arrays["whole"])
                totals.append(arrays["total"])
        return Equations(np.concatenate(wholes), np.concatenate(totals))

    def box(self, name: str, y: int, x: int, *, width: int, height: int) -> Box:
        """The part of a (width, height) image that a cell of a layer sees; for a vector layer, the crop that was
        scanned.
        """
        layer = self.layer(name)
        if layer.kind == "conv":
            return receptive_box(layer, y, x, width=width, height=height, trunk=self.info.trunk)
        return self.crop(name, width=width, height=height)

    def region(self, name: str, unit: int, y: int, x: int, *, width: int, height: int) -> Box | None:
        """The part of what a cell sees that matters to a unit: where its gradient is above half of its maximum."""
        found = self.regions(name)
        if found is None or not np.isfinite(found[unit]).all():
            return None
        left, top, right, bottom = (float(edge) for edge in found[unit])
        how = self.info.trunk
        x0, y0, x1, y1 = receptive_box(
            self.layer(name), y, x, width=width, height=height, trunk=how, region=(left, top, right, bottom)
        )
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None  # a border cell may look past the border

    def crop(self, name: str, *, width: int, height: int) -> Box:
        """The part of a (width, height) image that the path through this layer saw."""
        counts = self.info.counts
        if self.layer(name).on_trunk or counts is None:
            return self.info.trunk.box(width, height)
        return count_crop(width, height, crop=counts.crop, region=counts.region)


def covers_start(info: ScanInfo, shards: Sequence[Shard]) -> bool:
    """Whether the scan's shards are the first of these, in order: all of them, or a start that can be extended."""
    return info.shards == tuple(shards[: len(info.shards)])


@contextmanager
def _whole(layer: str) -> Iterator[None]:
    """Damage found while reading a scan's files, by name of the layer instead of their place."""
    try:
        yield
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise ScanUnreadable(f"the files of layer {layer} are damaged or gone") from error


def _mark(index: int) -> str:
    return f"shard-{index:05d}.json"


def _parts(folder: Path, stem: str, suffix: str, info: ScanInfo) -> list[Path]:
    return [folder / f"{stem}-{index:05d}.{suffix}" for index in range(len(info.shards))]


def _npy(array: NDArray[Any]) -> bytes:
    buffer = BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _equation_bytes(equation: Equations) -> bytes:
    buffer = BytesIO()
    np.savez(buffer, allow_pickle=False, whole=equation.whole, total=equation.total, relative=equation.relative)
    return buffer.getvalue()
