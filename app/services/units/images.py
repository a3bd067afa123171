"""The images of a layer's units, from a scan and its gallery: the best of many units, the whole range of one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.services.galleries.seen import Seen, Which
from app.services.scans.service import guarded
from models.card import LayerCard
from models.galleries.packs import Pack, PackRow
from models.geometry import Box
from models.scans.files import ScanReader
from models.scans.maxima import UnitMaxima
from models.scans.unit_tables import UnitTable

Sources = NDArray[np.int32]
RowName = Literal["top", "p90", "median", "random", "zero"]
NAMES: tuple[RowName, ...] = ("top", "p90", "median", "random", "zero")
QUANTILES: dict[RowName, float] = {"p90": 0.9, "median": 0.5}
SHOWN = 8


@dataclass(frozen=True)
class TopImage:
    """An image, the unit's largest value in it, and where that value is.

    `y` and `x` are the cell of the layer's map with this value, `box` is the cell's receptive field in the image. For
    layers without a map and for images that do not fire the unit, `y` and `x` are None and `box` is all that the
    network was shown. `region` is the part of the box that matters to the unit, None where that is not known. `seen`
    says that the network was trained on the image.
    """

    row: int
    value: float
    y: int | None
    x: int | None
    box: Box
    known: PackRow
    region: Box | None = None
    seen: bool = False


@dataclass(frozen=True)
class Answer:
    """A row, the unit's largest value in it, and the cell (y, x) that has this value."""

    row: int
    value: float
    cell: tuple[int, int]


@dataclass(frozen=True)
class UnitImageRow:
    """Some images for one row of the unit's page, chosen out of `among` images.

    `level` is the value at the quantile, for the rows `p90` and `median`; None for the others.
    """

    name: RowName
    images: tuple[TopImage, ...]
    among: int
    level: float | None = None


@dataclass(frozen=True)
class PickedRows:
    """The same as a `UnitImageRow`, before the images themselves are read."""

    name: RowName
    answers: tuple[Answer, ...]
    among: int
    level: float | None = None


class UnitAnswers:
    """One unit's values over all images, exact for its top images, and the order of the images that may be shown.

    `allowed` flags these images, None allows all. `shown` are their rows, `ranked` those of them that fire the unit,
    largest value first, `silent` those that do not.
    """

    def __init__(
        self, firing: UnitMaxima, table: UnitTable, unit: int, allowed: NDArray[np.bool_] | None = None
    ) -> None:
        self._firing = firing
        self.values = firing.values.copy()
        kept = table.values[unit] > 0
        self.values[table.rows[unit][kept]] = table.values[unit][kept]  # the others are half precision
        shown = np.ones(len(self.values), dtype=np.bool_) if allowed is None else allowed
        self.shown: NDArray[np.intp] = np.flatnonzero(shown)
        fired = np.flatnonzero((self.values > 0) & shown)
        self.ranked: NDArray[np.intp] = fired[np.argsort(-self.values[fired], kind="stable")]
        self.silent: NDArray[np.intp] = np.flatnonzero((self.values <= 0) & shown)

    def answer(self, row: int) -> Answer:
        return Answer(row, float(self.values[row]), self._firing.cell(row))

    def choose(self, name: RowName, *, sources: NDArray[np.int32] | None, count: int, seed: int) -> PickedRows:
        """At most `count` images for one row of the page; where `sources` are given, at most one from each of them."""
        rng = np.random.default_rng([seed, NAMES.index(name)])
        level = None
        order: NDArray[np.integer]
        if name == "top":
            order, among = self.ranked, len(self.ranked)
        elif name == "random":
            order, among = rng.permutation(self.shown), len(self.shown)
        elif name == "zero":
            order, among = rng.permutation(self.silent), len(self.silent)
        else:
            place = at_quantile(len(self.ranked), QUANTILES[name])
            order, among = self.ranked[from_first(self.ranked, place)], len(self.ranked)
            level = float(self.values[self.ranked[place]]) if among else None
        rows = one_per_source((int(row) for row in order), sources, count)
        if name in QUANTILES:
            rows.sort(key=lambda row: -self.values[row])
        return PickedRows(name, tuple(self.answer(row) for row in rows), among, level)


class UnitPictures:
    """Reads the images of one layer's units.

    Where methods are given `sources`, they take at most one image from each source picture. Images seen in training
    are left out where there are others, unless `which` is "all". All methods raise Conflict where files are damaged.
    """

    def __init__(
        self, reader: ScanReader, pack: Pack, table: UnitTable, layer: str, seen: Seen, which: Which = "unseen"
    ) -> None:
        self._reader, self._pack, self._table = reader, pack, table
        self._card = reader.layer(layer)
        self._seen, self._allowed = seen, seen.unseen(which)

    def sources(self) -> Sources:
        """The number of the source picture that each scanned row comes from; -1 where it is not known."""
        return np.asarray(guarded(self._pack.pictures)[: self._reader.rows])

    def tops(self, units: Sequence[int], count: int, sources: Sources | None) -> list[tuple[TopImage, ...]]:
        """The best images of each unit; their metadata is read once for all units."""
        found = [self._best(unit, count, sources) for unit in units]
        known = self._known([answer.row for answers in found for answer in answers])
        return [self._images(unit, answers, known) for unit, answers in zip(units, found, strict=True)]

    def rows(self, unit: int, sources: Sources | None, *, seed: int) -> tuple[UnitImageRow, ...]:
        """Images of a unit's whole range; none where the scan kept only top images."""
        answers = self._answers(unit)
        if answers is None:
            return ()
        chosen = [answers.choose(name, sources=sources, count=SHOWN, seed=seed) for name in NAMES]
        known = self._known([answer.row for row in chosen for answer in row.answers])
        return tuple(
            UnitImageRow(row.name, self._images(unit, row.answers, known), row.among, row.level) for row in chosen
        )

    def _best(self, unit: int, count: int, sources: Sources | None) -> list[Answer]:
        """The first of a unit's top images; where too few of these may be shown, the first of all that fire it."""
        if self._table.dead[unit]:
            return []
        listed = [int(row) for row in self._table.rows[unit]]
        rows = one_per_source((row for row in listed if self._may(row)), sources, count)
        some = sources is not None or self._allowed is not None
        if some and len(rows) < count and self._table.active[unit] > len(listed):
            answers = self._answers(unit)
            if answers is not None:
                return list(answers.choose("top", sources=sources, count=count, seed=0).answers)
        places = {row: rank for rank, row in enumerate(listed)}
        return [self._listed(unit, places[row]) for row in rows]

    def _may(self, row: int) -> bool:
        return self._allowed is None or bool(self._allowed[row])

    def _listed(self, unit: int, rank: int) -> Answer:
        table = self._table
        row, y, x = (int(part[unit, rank]) for part in (table.rows, table.ys, table.xs))
        return Answer(row, float(table.values[unit, rank]), (y, x))

    def _answers(self, unit: int) -> UnitAnswers | None:
        firing = guarded(self._reader.firing, self._card.name, unit)
        return None if firing is None else UnitAnswers(firing, self._table, unit, self._allowed)

    def _images(self, unit: int, answers: Sequence[Answer], known: dict[int, PackRow]) -> tuple[TopImage, ...]:
        found = [guarded(image_of, self._reader, self._card, unit, answer, known[answer.row]) for answer in answers]
        return tuple(replace(image, seen=image.row in self._seen) for image in found)

    def _known(self, rows: Sequence[int]) -> dict[int, PackRow]:
        wanted = sorted(set(rows))
        return dict(zip(wanted, guarded(self._pack.metadata, wanted), strict=True))


def at_quantile(count: int, share: float) -> int:
    """The place of a quantile in a list of `count` values, largest first: `share` of them do not exceed that one."""
    return max(0, min(count - 1, round((1 - share) * (count - 1))))


def image_of(reader: ScanReader, card: LayerCard, unit: int, answer: Answer, known: PackRow) -> TopImage:
    """The image of an answer, with the boxes to draw on it."""
    width, height, (y, x) = known.jpeg_width, known.jpeg_height, answer.cell
    if card.kind != "conv" or answer.value <= 0:
        box = reader.crop(card.name, width=width, height=height)
        return TopImage(answer.row, answer.value, None, None, box, known)
    return TopImage(
        row=answer.row,
        value=answer.value,
        y=y,
        x=x,
        box=reader.box(card.name, y, x, width=width, height=height),
        known=known,
        region=reader.region(card.name, unit, y, x, width=width, height=height),
    )


def one_per_source(rows: Iterable[int], sources: NDArray[np.int32] | None, count: int) -> list[int]:
    """The first `count` rows, at most one from each source picture; a row without a known source is always taken.

    Where `sources` is None, every row is.
    """
    kept: list[int] = []
    taken: set[int] = set()
    for row in rows:
        if len(kept) == count:
            break
        source = -1 if sources is None else int(sources[row])
        if source < 0 or source not in taken:
            taken.add(source)
            kept.append(row)
    return kept


def from_first(values: Sequence[float] | NDArray[np.floating] | NDArray[np.intp], first: int) -> list[int]:
    """Positions 0..n-1 by their distance from `first`, nearest first; of two equally near the earlier first."""
    positions = np.arange(len(values))
    return [int(at) for at in np.argsort(np.abs(positions - first), kind="stable")]
