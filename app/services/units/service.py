"""The service for units of a scan: lists of a layer's units, one unit with its images and boxes, heat maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.failures import NotFound
from app.predictor.client import Predictor
from app.recent import Recent
from app.services.cursors import position
from app.services.galleries.seen import SeenService, Which
from app.services.galleries.service import stored
from app.services.networks import scanned_network
from app.services.scans.service import OpenScan, guarded
from app.services.units.images import TopImage, UnitImageRow, UnitPictures
from app.services.units.neighbours import Overlaps, SimilarUnit, columns, overlaps, similar
from models.active_units import active
from models.answers import HeatMap
from models.card import LayerCard
from models.galleries.packs import Shard
from models.scans.unit_tables import EDGES, UnitTable

Sort = Literal["unit", "mean", "max", "share_active"]
KEPT_LAYERS = 4


@dataclass(frozen=True)
class Statistics:
    """Statistics of a unit over all scanned images, each with the unit's largest value in it.

    `share_active` is the share of images with a value above zero. A unit is `active` where its mean is above a
    thousandth of the layer's largest mean, and `dead` where it never fires.
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
    """Some units of a layer, how many units it has and how many are dead, and the cursor of the next page."""

    layer: LayerCard
    gallery: str
    units: tuple[UnitSummary, ...]
    total: int
    dead: int
    next: str | None


@dataclass(frozen=True)
class Walk:
    """A unit's place (from 0) in an order of all `total` units, and the units before and after it."""

    place: int
    total: int
    before: int | None
    after: int | None


@dataclass(frozen=True)
class UnitDetail:
    """One unit: statistics, histogram over `edges`, images of its whole range, and the units that fire alike.

    `rows` is empty where the scan kept only top images. `has_sources` says that several images of the gallery may come
    from one source picture.
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
    rows: tuple[UnitImageRow, ...]
    similar: tuple[SimilarUnit, ...]
    overlaps: Overlaps
    has_sources: bool

    @property
    def address(self) -> str:
        """The name by which the unit can be cited."""
        return f"{self.checkpoint}:{self.layer.name}:{self.unit}"


@dataclass(frozen=True)
class RowHeat:
    """A unit's map on one image.

    `heat` is as the network gave it, for an input of `side` px; `width` and `height` are those of the stored image.
    `highest` is the unit's largest value in the whole scan.
    """

    layer: LayerCard
    unit: int
    row: int
    heat: HeatMap
    side: int
    width: int
    height: int
    highest: float


class UnitsService:
    """Reads what scans recorded about units; heat maps are computed by the predictor when asked for."""

    def __init__(self, predictor: Predictor, seen: SeenService) -> None:
        self._predictor = predictor
        self._seen = seen
        self._columns = Recent[tuple[str, tuple[Shard, ...], str], NDArray[np.float32]](KEPT_LAYERS)

    def page(
        self,
        scan: OpenScan,
        layer: str,
        *,
        sort: Sort = "unit",
        limit: int = 50,
        cursor: str | None = None,
        best: int = 4,
        per_source: bool = True,
        which: Which = "unseen",
    ) -> UnitsPage:
        """A page of units with their `best` top images. Raises NotFound, BadQuery.

        They are ordered by number, or by a statistic, largest first; the cursor is a place in this order.
        """
        card, table = _read(scan, layer)
        start = 0 if cursor is None else position(cursor)
        units = [int(unit) for unit in _order(table, sort)[start : start + limit]]
        return UnitsPage(
            layer=card,
            gallery=scan.gallery,
            units=self._summaries(scan, table, layer, units, best, per_source=per_source, which=which),
            total=table.units,
            dead=int(table.dead.sum()),
            next=str(start + limit) if start + limit < table.units else None,
        )

    def some(
        self,
        scan: OpenScan,
        layer: str,
        units: Sequence[int],
        *,
        best: int = 1,
        per_source: bool = True,
        which: Which = "unseen",
    ) -> tuple[UnitSummary, ...]:
        """These units of a layer, each with its best images. Raises NotFound."""
        card, table = _read(scan, layer)
        for unit in units:
            _check_unit(card, unit)
        return self._summaries(scan, table, layer, units, best, per_source=per_source, which=which)

    def walk(self, scan: OpenScan, layer: str, unit: int, sort: Sort) -> Walk:
        """A unit's place in this order of its layer, and its neighbours in it. Raises NotFound."""
        card, table = _read(scan, layer)
        _check_unit(card, unit)
        order = _order(table, sort)
        place = int(np.flatnonzero(order == unit)[0])
        before = int(order[place - 1]) if place > 0 else None
        after = int(order[place + 1]) if place + 1 < len(order) else None
        return Walk(place, len(order), before, after)

    def unit(
        self,
        scan: OpenScan,
        layer: str,
        unit: int,
        *,
        per_source: bool = True,
        which: Which = "unseen",
        seed: int = 0,
    ) -> UnitDetail:
        """One unit. Raises NotFound.

        `per_source` takes at most one image from each source picture; `seed` draws the random images; `which` "unseen"
        leaves out images seen in training where there are others.
        """
        card, table = _read(scan, layer)
        _check_unit(card, unit)
        pictures = self._pictures(scan, table, layer, which)
        sources = pictures.sources()
        kept = sources if per_source and (sources >= 0).any() else None
        (top,) = pictures.tops([unit], table.values.shape[1], kept)
        return UnitDetail(
            scan=scan.slug,
            checkpoint=scan.record.checkpoint,
            gallery=scan.gallery,
            layer=card,
            unit=unit,
            statistics=_statistics(table, unit),
            edges=EDGES,
            counts=table.histogram[unit],
            top=top,
            rows=pictures.rows(unit, kept, seed=seed),
            similar=similar(self._standardised(scan, layer), unit),
            overlaps=overlaps(table, unit),
            has_sources=bool((sources >= 0).any()),
        )

    def heatmap(self, scan: OpenScan, layer: str, unit: int, row: int) -> RowHeat:
        """The unit's map on an image of the gallery, after its ReLU. Raises NotFound, Conflict, Busy."""
        card, table = _read(scan, layer)
        _check_unit(card, unit)
        known, jpeg = stored(scan.gallery, scan.pack, row)
        heat = self._predictor.heatmap(scanned_network(scan.checkpoint, scan.info, layer), jpeg, layer, unit)
        width, height = known.jpeg_width, known.jpeg_height
        side = scan.info.trunk.side(width, height)
        return RowHeat(card, unit, row, heat, side, width, height, float(table.maximum[unit]))

    def _summaries(
        self,
        scan: OpenScan,
        table: UnitTable,
        layer: str,
        units: Sequence[int],
        best: int,
        *,
        per_source: bool,
        which: Which,
    ) -> tuple[UnitSummary, ...]:
        pictures = self._pictures(scan, table, layer, which)
        sources = pictures.sources() if per_source else None
        tops = pictures.tops(units, best, sources)
        return tuple(UnitSummary(unit, _statistics(table, unit), top) for unit, top in zip(units, tops, strict=True))

    def _pictures(self, scan: OpenScan, table: UnitTable, layer: str, which: Which) -> UnitPictures:
        seen = self._seen.find(scan.checkpoint, scan.pack).first(scan.reader.rows)
        return UnitPictures(scan.reader, scan.pack, table, layer, seen, which)

    def _standardised(self, scan: OpenScan, layer: str) -> NDArray[np.float32]:
        key = (scan.slug, scan.info.shards, layer)
        return self._columns.get(key, lambda: guarded(columns, scan.reader, layer))


def has_sources(scan: OpenScan) -> bool:
    """Whether the source pictures of the scanned gallery's images are known. Raises Conflict."""
    return bool((guarded(scan.pack.sources) >= 0).any())


def _read(scan: OpenScan, layer: str) -> tuple[LayerCard, UnitTable]:
    """A layer and the table of its units. Raises NotFound, Conflict."""
    return scan.layer(layer), guarded(scan.reader.units, layer)


def _statistics(table: UnitTable, unit: int) -> Statistics:
    return Statistics(
        mean=float(table.mean[unit]),
        max=float(table.maximum[unit]),
        share_active=float(table.share_active[unit]),
        active=bool(active(table.mean)[unit]),
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
