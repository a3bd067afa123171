"""What a scan leaves on disk and how it is read: unit tables, embeddings, count equations. Free of torch.

scan.json                          what was scanned and how; written last, so a folder without it is not yet a scan
shard-00000.json                   this shard is complete; what a resumed scan goes by
<layer>/embeddings-00000.npy       (rows, units) float16, count vectors float32
<layer>/units-00000.npz            unit tables of one shard; units.npz: of all
counts/equation-00000.npz          phi(Dx), sum_j phi(T_j x) and their relative residual, where it was asked for
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.atomic import write_bytes, write_json
from models.card import LayerCard
from models.geometry import Box, central_square, count_crop
from models.packs import Shard
from models.unit_tables import UnitTable, from_bytes, merge, to_bytes

SCAN = "scan.json"
FORMAT = 1
POOLING = "mean after ReLU"


class ScanUnreadable(ValueError):
    """The folder holds no finished scan, or files that do not belong together."""

    code = "scan_unreadable"


@dataclass(frozen=True)
class Trunk:
    """How the conv path saw an image: its central square at native size, or the middle `size` pixels of it.

    A square smaller than that, or than `smallest`, was enlarged. `reach` gives, by layer and by the side of the input,
    one past the last pixel that any cell sees.
    """

    size: int | None
    smallest: int
    reach: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def box(self, width: int, height: int) -> Box:
        """The square of a (width, height) image that became the network's input."""
        left, top, right, _ = (int(edge) for edge in central_square(width, height))
        side = min(self.size or right - left, right - left)
        margin = (right - left - side) // 2
        return (left + margin, top + margin, left + margin + side, top + margin + side)

    def side(self, width: int, height: int) -> int:
        """Side of the network's input for a (width, height) image."""
        return self.size or max(min(width, height), self.smallest)


@dataclass(frozen=True)
class CountPath:
    """How the count path saw an image: `crop` pixels of its central `region`, brought to `size` by `kernel`."""

    crop: int
    region: int
    size: int
    kernel: str


@dataclass(frozen=True)
class ScanInfo:
    """What was scanned, and how. `layers` in forward order; `rows` is what the shards hold together."""

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
    """What one shard gives for one layer."""

    embeddings: NDArray[Any]
    table: UnitTable


def receptive_box(layer: LayerCard, y: int, x: int, *, width: int, height: int, trunk: Trunk) -> Box:
    """The pixels of a (width, height) image that cell (y, x) of a conv layer sees, exactly.

    Padding is not part of the image: the box ends where the network's input ends.
    """
    stride, offset = layer.stride or 1, layer.offset or 0.0
    left, top, right, _ = trunk.box(width, height)
    side = trunk.side(width, height)
    scale = (right - left) / side
    end = trunk.reach.get(layer.name, {}).get(str(side), side)
    half = (layer.receptive_field or 1) / 2

    def span(cell: int, start: float) -> tuple[float, float]:
        centre = offset + cell * stride
        return start + scale * max(0.0, centre - half), start + scale * min(end, centre + half)

    (x0, x1), (y0, y1) = span(x, left), span(y, top)
    return (x0, y0, x1, y1)


class ScanWriter:
    """Puts a scan on disk, shard by shard, each wholly or not at all.

    `how` tells apart scans that must not be mixed (checkpoint, precision, layers ...): a shard counts as finished only
    where it was scanned in the same way.
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
        if equation is not None:
            write_bytes(self.folder / "counts" / f"equation-{index:05d}.npz", _equation_bytes(equation))
        write_json(self.folder / _mark(index), {**self._finished(shard), "seconds": round(seconds, 3)})

    def finish(self, info: ScanInfo) -> None:
        """Merge the shards' tables, then put the scan in force."""
        for name in info.names:
            parts = [from_bytes(path.read_bytes()) for path in _parts(self.folder / name, "units", "npz", info)]
            write_bytes(self.folder / name / "units.npz", to_bytes(merge(parts, top=info.top_k)))
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
    """What scan.json says. Raises ScanUnreadable."""
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
    """A finished scan: everything is read when first asked for; tables are kept, embeddings stay on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.info = read_info(folder)
        self._tables: dict[str, UnitTable] = {}

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
        """What a cell of a layer sees of a (width, height) image; for a vector layer, the crop that was scanned."""
        layer = self.layer(name)
        if layer.kind == "conv":
            return receptive_box(layer, y, x, width=width, height=height, trunk=self.info.trunk)
        return self.crop(name, width=width, height=height)

    def crop(self, name: str, *, width: int, height: int) -> Box:
        """The part of a (width, height) image that the path through this layer looked at."""
        counts = self.info.counts
        if self.layer(name).kind == "conv" or counts is None:
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
