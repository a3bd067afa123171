"""Units of a scan: the grid of a layer's units, one unit with its images and boxes, heat maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.failures import NotFound
from app.predictor.client import Predictor
from app.recent import Recent
from app.services.checkpoints.service import CheckpointsService
from app.services.cursors import position
from app.services.galleries.seen import SeenService, Which
from app.services.galleries.service import GalleriesService
from app.services.networks import scanned_network
from app.services.scans.overview import ACTIVE_SHARE
from app.services.scans.service import ScansService, guarded
from app.services.units.images import TopImage, UnitPictures, UnitRow
from app.services.units.neighbours import Overlaps, SimilarUnit, columns, overlaps, similar
from models.answers import HeatMap
from models.card import LayerCard
from models.galleries.packs import Shard
from models.scans.files import ScanReader
from models.scans.unit_tables import EDGES, UnitTable

Sort = Literal["unit", "mean", "max", "share_active"]
KEPT_LAYERS = 4
PANEL = 3  # units of a panel by activity, and as many at random


@dataclass(frozen=True)
class Statistics:
    """Of an image's largest value of the unit, over all scanned images; `share_active` of them are above zero.

    `active`: the mean is above a thousandth of the layer's largest mean.
    """

    mean: float
    max: float
    share_active: float
    active: bool
    dead: bool


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
class PanelUnit:
    """A unit of a small panel, why it was chosen, and its best images, at most one from each source picture."""

    unit: int
    chosen: Literal["activity", "random"]
    statistics: Statistics
    top: tuple[TopImage, ...]


@dataclass(frozen=True)
class UnitDetail:
    """One unit: statistics, histogram over `edges`, images of its whole range, and the units that fire alike.

    `rows` is empty where the scan kept its top images only. `has_sources`: images of the gallery share source pictures.
    """

    scan: str
    checkpoint: str
    gallery: str
    layer: LayerCard
    unit: int
    statistics: Statistics
    edges: NDArray[np.float64]
    counts: NDArray[np.int32]
    top: tuple[TopImage, ...]
    rows: tuple[UnitRow, ...]
    similar: tuple[SimilarUnit, ...]
    overlaps: Overlaps
    has_sources: bool

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
        seen: SeenService,
    ) -> None:
        self._scans = scans
        self._galleries = galleries
        self._checkpoints = checkpoints
        self._predictor = predictor
        self._seen = seen
        self._columns = Recent[tuple[str, tuple[Shard, ...], str], NDArray[np.float32]](KEPT_LAYERS)

    def page(
        self,
        scan: str,
        layer: str,
        *,
        sort: Sort = "unit",
        limit: int = 50,
        cursor: str | None = None,
        best: int = 4,
        per_source: bool = True,
        which: Which = "unseen",
    ) -> UnitsPage:
        """Units by number, or the largest statistic first; the cursor counts places. Raises NotFound, BadQuery."""
        reader, card, table = self._open(scan, layer)
        start = 0 if cursor is None else position(cursor)
        units = [int(unit) for unit in _order(table, sort)[start : start + limit]]
        return UnitsPage(
            layer=card,
            gallery=reader.info.gallery,
            units=self._summaries(reader, table, layer, units, best, per_source=per_source, which=which),
            total=table.units,
            dead=int(table.dead.sum()),
            next=str(start + limit) if start + limit < table.units else None,
        )

    def some(
        self,
        scan: str,
        layer: str,
        units: Sequence[int],
        *,
        best: int = 1,
        per_source: bool = True,
        which: Which = "unseen",
    ) -> tuple[UnitSummary, ...]:
        """These units of a layer, each with its best images. Raises NotFound."""
        reader, card, table = self._open(scan, layer)
        for unit in units:
            _check_unit(card, unit)
        return self._summaries(reader, table, layer, units, best, per_source=per_source, which=which)

    def panel(self, scan: str, layer: str, *, seed: int = 0, crops: int = 6) -> tuple[PanelUnit, ...]:
        """Three units by activity (their mean) and three at random among the other live ones. Raises NotFound."""
        _, _, table = self._open(scan, layer)
        alive = [int(unit) for unit in _order(table, "mean") if not table.dead[unit]]
        first, rest = alive[:PANEL], np.array(alive[PANEL:], dtype=np.int64)
        drawn = np.random.default_rng(seed).permutation(rest)[:PANEL].tolist()
        found = self.some(scan, layer, [*first, *drawn], best=crops)
        return tuple(
            PanelUnit(
                item.unit,
                "activity" if place < len(first) else "random",
                item.statistics,
                tuple(image for image in item.top if image.value > 0),
            )
            for place, item in enumerate(found)
        )

    def walk(self, scan: str, layer: str, unit: int, sort: Sort) -> Walk:
        """Where a unit stands in its layer in this order, and its neighbours there. Raises NotFound."""
        _, card, table = self._open(scan, layer)
        _check_unit(card, unit)
        order = _order(table, sort)
        place = int(np.flatnonzero(order == unit)[0])
        before = int(order[place - 1]) if place > 0 else None
        after = int(order[place + 1]) if place + 1 < len(order) else None
        return Walk(place, len(order), before, after)

    def unit(
        self,
        scan: str,
        layer: str,
        unit: int,
        *,
        per_source: bool = True,
        which: Which = "unseen",
        seed: int = 0,
    ) -> UnitDetail:
        """One unit. `per_source`: at most one image from each source picture; `seed` draws the random ones.

        `which` "unseen" leaves out images seen in training where there are others. Raises NotFound.
        """
        reader, card, table = self._open(scan, layer)
        _check_unit(card, unit)
        pictures = self._pictures(reader, table, layer, which)
        sources = pictures.sources()
        kept = sources if per_source and (sources >= 0).any() else None
        (top,) = pictures.tops([unit], table.values.shape[1], kept)
        return UnitDetail(
            scan=scan,
            checkpoint=reader.info.checkpoint,
            gallery=reader.info.gallery,
            layer=card,
            unit=unit,
            statistics=_statistics(table, unit),
            edges=EDGES,
            counts=table.histogram[unit],
            top=top,
            rows=pictures.rows(unit, kept, seed=seed),
            similar=similar(self._standardised(scan, reader, layer), unit),
            overlaps=overlaps(table, unit),
            has_sources=bool((sources >= 0).any()),
        )

    def heatmap(self, scan: str, layer: str, unit: int, row: int) -> RowHeat:
        """The unit's map on an image of the gallery, after its ReLU. Raises NotFound, Conflict, Busy."""
        reader, card, table = self._open(scan, layer)
        _check_unit(card, unit)
        info = reader.info
        jpeg, known = self._galleries.jpeg(info.gallery, row), self._galleries.image(info.gallery, row)
        record = self._checkpoints.get(info.checkpoint)
        heat = self._predictor.heatmap(scanned_network(record, info, layer), jpeg, layer, unit)
        width, height = known.jpeg_width, known.jpeg_height
        side = info.trunk.side(width, height)
        return RowHeat(card, unit, row, heat, side, width, height, float(table.maximum[unit]))

    def has_sources(self, scan: str) -> bool:
        """Whether images of the scanned gallery are known to share source pictures. Raises NotFound, Conflict."""
        pack = self._galleries.pack(self._scans.reader(scan).info.gallery)
        return bool((guarded(pack.sources) >= 0).any())

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
        self,
        reader: ScanReader,
        table: UnitTable,
        layer: str,
        units: Sequence[int],
        best: int,
        *,
        per_source: bool,
        which: Which,
    ) -> tuple[UnitSummary, ...]:
        pictures = self._pictures(reader, table, layer, which)
        sources = pictures.sources() if per_source else None
        tops = pictures.tops(units, best, sources)
        return tuple(UnitSummary(unit, _statistics(table, unit), top) for unit, top in zip(units, tops, strict=True))

    def _pictures(self, reader: ScanReader, table: UnitTable, layer: str, which: Which) -> UnitPictures:
        seen = self._seen.find(reader.info.checkpoint, reader.info.gallery).first(reader.rows)
        return UnitPictures(reader, self._galleries.pack(reader.info.gallery), table, layer, seen, which)

    def _standardised(self, scan: str, reader: ScanReader, layer: str) -> NDArray[np.float32]:
        key = (scan, reader.info.shards, layer)
        return self._columns.get(key, lambda: guarded(columns, reader, layer))


def _statistics(table: UnitTable, unit: int) -> Statistics:
    return Statistics(
        mean=float(table.mean[unit]),
        max=float(table.maximum[unit]),
        share_active=float(table.share_active[unit]),
        active=bool(table.mean[unit] > ACTIVE_SHARE * table.mean.max() > 0),
        dead=bool(table.dead[unit]),
    )


def _order(table: UnitTable, sort: Sort) -> NDArray[np.intp]:
    if sort == "unit":
        return np.arange(table.units)
    values = np.asarray({"mean": table.mean, "max": table.maximum, "share_active": table.share_active}[sort])
    return np.argsort(-values, kind="stable")


def _check_unit(card: LayerCard, unit: int) -> None:
    if not 0 <= unit < card.units:
        raise NotFound("unknown_unit", f"{card.name} has units 0 to {card.units - 1}.")
