"""Units of a scan: the grid of a layer's units, one unit with its top images and boxes, heat maps."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.failures import BadQuery, NotFound
from app.predictor.client import Predictor
from app.predictor.messages import NetworkRef
from app.services.checkpoints import CheckpointsService
from app.services.galleries import GalleriesService
from app.services.scans import ScansService, guarded
from app.services.unit_neighbors import SimilarUnit, columns, similar
from models.answers import HeatMap
from models.card import LayerCard
from models.geometry import Box
from models.packs import PackRow, Shard
from models.scans import ScanReader
from models.unit_tables import EDGES, UnitTable

Sort = Literal["unit", "mean", "max", "share_active"]
SORTS: tuple[Sort, ...] = ("unit", "mean", "max", "share_active")
KEPT_LAYERS = 4


@dataclass(frozen=True)
class Statistics:
    """Of an image's largest value of the unit, over all scanned images."""

    mean: float
    max: float
    share_active: float
    dead: bool


@dataclass(frozen=True)
class TopImage:
    """An image that fires a unit: where in the layer's map, and what that cell sees; y and x None without a map."""

    row: int
    value: float
    y: int | None
    x: int | None
    box: Box
    known: PackRow


@dataclass(frozen=True)
class UnitSummary:
    """A unit in a list, with its best images."""

    unit: int
    statistics: Statistics
    top: tuple[TopImage, ...]


@dataclass(frozen=True)
class UnitsPage:
    """Some units of a layer, how many there are, and the cursor of those after them."""

    layer: LayerCard
    gallery: str
    units: tuple[UnitSummary, ...]
    total: int
    dead: int
    next: str | None


@dataclass(frozen=True)
class Walk:
    """A unit's place (from 0) among `total`, and the units before and after it."""

    place: int
    total: int
    before: int | None
    after: int | None


@dataclass(frozen=True)
class UnitDetail:
    """One unit: statistics, histogram over `edges`, top images, and the units that fire on the same images."""

    scan: str
    checkpoint: str
    gallery: str
    layer: LayerCard
    unit: int
    statistics: Statistics
    edges: NDArray[np.float64]
    counts: NDArray[np.int32]
    top: tuple[TopImage, ...]
    similar: tuple[SimilarUnit, ...]

    @property
    def address(self) -> str:
        """What to cite."""
        return f"{self.checkpoint}:{self.layer.name}:{self.unit}"


@dataclass(frozen=True)
class RowHeat:
    """A unit's map on one image: `heat` as the network gave it, the image's size, and the unit's largest value."""

    layer: LayerCard
    unit: int
    row: int
    heat: HeatMap
    side: int
    width: int
    height: int
    highest: float


class UnitsService:
    """What scans know about units; heat maps are computed by the predictor when asked for."""

    def __init__(
        self,
        scans: ScansService,
        galleries: GalleriesService,
        checkpoints: CheckpointsService,
        predictor: Predictor,
    ) -> None:
        self._scans = scans
        self._galleries = galleries
        self._checkpoints = checkpoints
        self._predictor = predictor
        self._lock = Lock()
        self._columns: OrderedDict[tuple[str, tuple[Shard, ...], str], NDArray[np.float32]] = OrderedDict()

    def page(
        self, scan: str, layer: str, *, sort: Sort = "unit", limit: int = 50, cursor: str | None = None, best: int = 4
    ) -> UnitsPage:
        """Units by number, or the largest statistic first; the cursor counts places. Raises NotFound, BadQuery."""
        reader, card, table = self._open(scan, layer)
        start = _place(cursor)
        units = [int(unit) for unit in _order(table, sort)[start : start + limit]]
        return UnitsPage(
            layer=card,
            gallery=reader.info.gallery,
            units=self._summaries(reader, card, table, units, best),
            total=table.units,
            dead=int(table.dead.sum()),
            next=str(start + limit) if start + limit < table.units else None,
        )

    def some(self, scan: str, layer: str, units: Sequence[int], *, best: int = 1) -> tuple[UnitSummary, ...]:
        """These units of a layer, each with its best images. Raises NotFound."""
        reader, card, table = self._open(scan, layer)
        for unit in units:
            _check_unit(card, unit)
        return self._summaries(reader, card, table, units, best)

    def walk(self, scan: str, layer: str, unit: int, sort: Sort) -> Walk:
        """Where a unit stands in its layer in this order, and its neighbours there. Raises NotFound."""
        _, card, table = self._open(scan, layer)
        _check_unit(card, unit)
        order = _order(table, sort)
        place = int(np.flatnonzero(order == unit)[0])
        before = int(order[place - 1]) if place > 0 else None
        after = int(order[place + 1]) if place + 1 < len(order) else None
        return Walk(place, len(order), before, after)

    def unit(self, scan: str, layer: str, unit: int, *, per_source: bool = False) -> UnitDetail:
        """One unit. `per_source`: at most one top image from each source picture. Raises NotFound."""
        reader, card, table = self._open(scan, layer)
        _check_unit(card, unit)
        (top,) = self._tops(reader, card, table, [unit], table.values.shape[1])
        return UnitDetail(
            scan=scan,
            checkpoint=reader.info.checkpoint,
            gallery=reader.info.gallery,
            layer=card,
            unit=unit,
            statistics=_statistics(table, unit),
            edges=EDGES,
            counts=table.histogram[unit],
            top=_one_per_source(top) if per_source else top,
            similar=similar(self._standardised(scan, reader, layer), unit),
        )

    def heatmap(self, scan: str, layer: str, unit: int, row: int) -> RowHeat:
        """The unit's map on an image of the gallery, after its ReLU. Raises NotFound, Conflict, Busy."""
        reader, card, table = self._open(scan, layer)
        _check_unit(card, unit)
        info = reader.info
        jpeg, known = self._galleries.jpeg(info.gallery, row), self._galleries.image(info.gallery, row)
        record = self._checkpoints.get(info.checkpoint)
        precision = info.precision if card.kind == "conv" else info.count_precision
        network = NetworkRef(str(record.folder), record.sha256, "bf16" if precision == "bf16" else "fp32")
        heat = self._predictor.heatmap(network, jpeg, layer, unit)
        width, height = known.jpeg_width, known.jpeg_height
        side = info.trunk.side(width, height)
        return RowHeat(card, unit, row, heat, side, width, height, float(table.maximum[unit]))

    def reader(self, scan: str, layer: str) -> ScanReader:
        """The scan, which holds this layer. Raises NotFound, Conflict."""
        reader = self._scans.reader(scan)
        if layer not in reader.layers:
            raise NotFound("unknown_layer", f"This scan has no layer {layer[:80]!r}: {', '.join(reader.layers)}.")
        return reader

    def _open(self, scan: str, layer: str) -> tuple[ScanReader, LayerCard, UnitTable]:
        reader = self.reader(scan, layer)
        return reader, reader.layer(layer), guarded(reader.units, layer)

    def _summaries(
        self, reader: ScanReader, card: LayerCard, table: UnitTable, units: Sequence[int], best: int
    ) -> tuple[UnitSummary, ...]:
        tops = self._tops(reader, card, table, units, best)
        return tuple(UnitSummary(unit, _statistics(table, unit), top) for unit, top in zip(units, tops, strict=True))

    def _tops(
        self, reader: ScanReader, card: LayerCard, table: UnitTable, units: Sequence[int], count: int
    ) -> list[tuple[TopImage, ...]]:
        """The best images of each unit, with what is known of them read once."""
        alive = [unit for unit in units if not table.dead[unit]]
        rows = sorted({int(row) for row in table.rows[alive, :count].flat})
        pack = self._galleries.pack(reader.info.gallery)
        known = dict(zip(rows, guarded(pack.metadata, rows), strict=True))
        return [
            ()
            if table.dead[unit]
            else tuple(_image(reader, card, table, unit, rank, known) for rank in _ranks(table, count))
            for unit in units
        ]

    def _standardised(self, scan: str, reader: ScanReader, layer: str) -> NDArray[np.float32]:
        key = (scan, reader.info.shards, layer)
        with self._lock:
            found = self._columns.get(key)
        if found is None:
            found = guarded(columns, reader, layer)
            with self._lock:
                self._columns[key] = found
                while len(self._columns) > KEPT_LAYERS:
                    self._columns.popitem(last=False)
        return found


def _ranks(table: UnitTable, count: int) -> range:
    return range(min(count, table.values.shape[1]))


def _image(
    reader: ScanReader, card: LayerCard, table: UnitTable, unit: int, rank: int, known: dict[int, PackRow]
) -> TopImage:
    row, y, x = (int(array[unit, rank]) for array in (table.rows, table.ys, table.xs))
    size = known[row]
    return TopImage(
        row=row,
        value=float(table.values[unit, rank]),
        y=y if card.kind == "conv" else None,
        x=x if card.kind == "conv" else None,
        box=reader.box(card.name, y, x, width=size.jpeg_width, height=size.jpeg_height),
        known=size,
    )


def _one_per_source(top: tuple[TopImage, ...]) -> tuple[TopImage, ...]:
    """The best image of each source; images without one are sources of their own."""
    best: dict[str | int, TopImage] = {}
    for image in top:
        best.setdefault(image.known.source if image.known.source is not None else image.row, image)
    return tuple(best.values())


def _statistics(table: UnitTable, unit: int) -> Statistics:
    return Statistics(
        mean=float(table.mean[unit]),
        max=float(table.maximum[unit]),
        share_active=float(table.share_active[unit]),
        dead=bool(table.dead[unit]),
    )


def _order(table: UnitTable, sort: Sort) -> NDArray[np.intp]:
    if sort == "unit":
        return np.arange(table.units)
    values = np.asarray({"mean": table.mean, "max": table.maximum, "share_active": table.share_active}[sort])
    return np.argsort(-values, kind="stable")


def _place(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 9):
        raise BadQuery("bad_cursor", "This cursor is not one of ours: leave it out to begin at the start.")
    return int(cursor)


def _check_unit(card: LayerCard, unit: int) -> None:
    if not 0 <= unit < card.units:
        raise NotFound("unknown_unit", f"{card.name} has units 0 to {card.units - 1}.")
