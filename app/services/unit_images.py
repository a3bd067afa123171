"""An image of a gallery as one unit sees it: how much it fires, where, and which part of what the cell sees matters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.card import LayerCard
from models.galleries.packs import PackRow
from models.geometry import Box
from models.scans.files import ScanReader


@dataclass(frozen=True)
class TopImage:
    """An image and what a unit answers to it: where in the layer's map, and what that cell sees.

    y and x are None for layers without a map and for images that do not fire the unit; their box is all that the
    network was shown. `region` is the part of the box that matters to the unit, None where that is not known. `seen`:
    the network was trained on the image.
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
    """A row, the unit's value in it, and the cell (y, x) that fires most."""

    row: int
    value: float
    cell: tuple[int, int]


def image_of(reader: ScanReader, card: LayerCard, unit: int, answer: Answer, known: PackRow) -> TopImage:
    """The image of an answer with the boxes on it."""
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
    """The first `count` rows, at most one from each source picture; rows without one are sources of their own.

    `sources` None takes them all.
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
    """Positions 0..n-1 by their distance from `first`, nearer ones first, the earlier of two first."""
    positions = np.arange(len(values))
    return [int(at) for at in np.argsort(np.abs(positions - first), kind="stable")]
