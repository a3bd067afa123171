"""What a unit answers over its whole range: its best images, ordinary ones, random ones and silent ones.

A unit's top images alone show what it likes best, not what it does: most of what fires it lies in between.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.services.unit_images import Answer, TopImage, from_first, one_per_source
from models.scans.maxima import Firing
from models.scans.unit_tables import UnitTable

RowName = Literal["top", "p90", "median", "random", "zero"]
NAMES: tuple[RowName, ...] = ("top", "p90", "median", "random", "zero")
QUANTILES: dict[RowName, float] = {"p90": 0.9, "median": 0.5}
SHOWN = 8


@dataclass(frozen=True)
class UnitRow:
    """Some images out of the `among` that a row is about; `level` is the value that p90 and median stand for."""

    name: RowName
    images: tuple[TopImage, ...]
    among: int
    level: float | None = None


@dataclass(frozen=True)
class Chosen:
    """Rows of the gallery for one row of the page."""

    name: RowName
    answers: tuple[Answer, ...]
    among: int
    level: float | None = None


class UnitAnswers:
    """One unit's values over all images, exact where the top list has them, and the order of those that are allowed."""

    def __init__(self, firing: Firing, table: UnitTable, unit: int, allowed: NDArray[np.bool_] | None = None) -> None:
        self._firing = firing
        self.values = firing.values.copy()
        kept = table.values[unit] > 0
        self.values[table.rows[unit][kept]] = table.values[unit][kept]  # half precision orders less finely
        shown = np.ones(len(self.values), dtype=np.bool_) if allowed is None else allowed
        self.shown: NDArray[np.intp] = np.flatnonzero(shown)
        fired = np.flatnonzero((self.values > 0) & shown)
        self.ranked: NDArray[np.intp] = fired[np.argsort(-self.values[fired], kind="stable")]
        self.silent: NDArray[np.intp] = np.flatnonzero((self.values <= 0) & shown)

    def answer(self, row: int) -> Answer:
        return Answer(row, float(self.values[row]), self._firing.cell(row))

    def choose(self, name: RowName, *, sources: NDArray[np.int32] | None, count: int, seed: int) -> Chosen:
        """The images of one row; `sources` given: at most one from each."""
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
        return Chosen(name, tuple(self.answer(row) for row in rows), among, level)


def at_quantile(count: int, share: float) -> int:
    """The place of a quantile in a list of that many, largest first: the image that `share` of them do not exceed."""
    return max(0, min(count - 1, round((1 - share) * (count - 1))))
