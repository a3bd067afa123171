"""The images of a layer's units, out of a scan and its gallery: the best of many units, the whole range of one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.services.galleries.seen import Seen, Which
from app.services.scans.service import guarded
from app.services.unit_images import Answer, TopImage, image_of, one_per_source
from app.services.unit_rows import NAMES, SHOWN, UnitAnswers, UnitRow
from models.galleries.packs import Pack, PackRow
from models.scans.files import ScanReader
from models.scans.unit_tables import UnitTable

Sources = NDArray[np.int32]


class UnitPictures:
    """Reads one layer of a scan; where `sources` are given, at most one image is taken from each source picture.

    Images seen in training are left out where there are others, unless `which` is "all".

    All methods raise Conflict where files are damaged.
    """

    def __init__(
        self, reader: ScanReader, pack: Pack, table: UnitTable, layer: str, seen: Seen, which: Which = "unseen"
    ) -> None:
        self._reader, self._pack, self._table = reader, pack, table
        self._card = reader.layer(layer)
        self._seen, self._allowed = seen, seen.unseen(which)

    def sources(self) -> Sources:
        """Which source picture each scanned row comes from; -1: not known."""
        return np.asarray(guarded(self._pack.pictures)[: self._reader.rows])

    def tops(self, units: Sequence[int], count: int, sources: Sources | None) -> list[tuple[TopImage, ...]]:
        """The best images of each unit, with what is known of them read once."""
        found = [self._best(unit, count, sources) for unit in units]
        known = self._known([answer.row for answers in found for answer in answers])
        return [self._images(unit, answers, known) for unit, answers in zip(units, found, strict=True)]

    def rows(self, unit: int, sources: Sources | None, *, seed: int) -> tuple[UnitRow, ...]:
        """Images of a unit's whole range; none where the scan kept its top images only."""
        answers = self._answers(unit)
        if answers is None:
            return ()
        chosen = [answers.choose(name, sources=sources, count=SHOWN, seed=seed) for name in NAMES]
        known = self._known([answer.row for row in chosen for answer in row.answers])
        return tuple(UnitRow(row.name, self._images(unit, row.answers, known), row.among, row.level) for row in chosen)

    def _best(self, unit: int, count: int, sources: Sources | None) -> list[Answer]:
        """The first of a unit's top list; where that holds too few sources, of all images that fire it."""
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
