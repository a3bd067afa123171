"""The counting bench where the truth is known: the oracle, the network and edge energy, side by side.

The oracle counts what is really there, each object by the share of its seen pixels, so its residual is 0 by
construction. Edge energy is as additive and has never seen an object: adding up is not the same as counting.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from app.failures import Conflict
from app.services.counting.service import Counted
from app.services.scans.service import OpenScan, guarded
from models.countables.truth import count
from models.counting import predictors
from models.counting.additivity import additivity
from models.counting.measures import Sides, r2_adding
from models.counting.picture_quantities import edge_energy, gray_of
from models.galleries.packs import Pack
from models.geometry import Box
from models.scans.files import ScanReader
from models.statistics import spearman

Name = Literal["oracle", "network", "edge energy"]
LEAST = 16  # scenes: below that a rank correlation says nothing


@dataclass(frozen=True)
class KindLine:
    """One kind: its fractional count in the crop and in the four tiles of it."""

    kind: str
    whole: Fraction
    tiles: tuple[Fraction, ...]


@dataclass(frozen=True)
class Counter:
    """One way of counting: the crop, its tiles, and over the scanned gallery how well it adds and follows the number.

    `adds` is R2 of the whole explained by the sum, `follows` Spearman's rho of the whole with the number of objects.
    """

    name: Name
    whole: float
    tiles: tuple[float, ...]
    adds: float | None = None
    follows: float | None = None

    @property
    def total(self) -> float:
        return sum(self.tiles)

    @property
    def ratio(self) -> float | None:
        return additivity(self.whole, self.total)


@dataclass(frozen=True)
class CountTruth:
    """What is truly in the crop, and who counts it how; `images` of `scan` are behind the last two columns."""

    annotated: bool
    kinds: tuple[KindLine, ...]
    counters: tuple[Counter, ...]
    scan: str | None
    images: int


@dataclass(frozen=True)
class Followed:
    """Over the scenes of a scan: R2 of the network's adding, and rho with their number of objects."""

    scan: str
    images: int
    adds: float | None
    network: float | None
    edges: float | None


def quarters(box: Box) -> tuple[Box, Box, Box, Box]:
    """The four equal tiles of a box: by rows, left before right."""
    left, top, right, bottom = box
    x, y = (left + right) / 2, (top + bottom) / 2
    return (left, top, x, y), (x, top, right, y), (left, y, x, bottom), (x, y, right, bottom)


def count_truth(pack: Pack, row: int, counted: Counted, scans: Iterable[OpenScan], gallery: str) -> CountTruth | None:
    """The truth of a row's crop beside what was counted there; None where nobody knows what is in the image.

    `scans` are those of the checkpoint, newest first; they are looked at only where there is a truth.
    """
    truth = pack.truth(row)
    if truth is None:
        return None
    crop, answer = counted.answer.crop, counted.answer
    boxes = (crop, *quarters(crop))
    objects = [_total(truth, box) for box in boxes]
    gray = gray_of(pack.jpeg(row))
    edges = [edge_energy(gray, box) for box in boxes]
    over = _followed(scans, gallery)
    exact = 1.0 if over else None  # by construction, and worth saying only beside what was measured
    return CountTruth(
        annotated=truth.get("made") == "annotated",
        kinds=_kinds(truth, boxes),
        counters=(
            Counter("oracle", objects[0], tuple(objects[1:]), exact, exact),
            Counter(
                "network",
                counted.whole_total,
                tuple(answer.tiles.sum(axis=1).tolist()),
                over.adds if over else None,
                over.network if over else None,
            ),
            Counter("edge energy", edges[0], tuple(edges[1:]), exact, over.edges if over else None),
        ),
        scan=over.scan if over else None,
        images=over.images if over else 0,
    )


def _total(truth: Mapping[str, Any], box: Box) -> float:
    """Objects in a box, without their parts."""
    objects = [{**found, "parts": ()} for found in truth["objects"]]
    return float(sum(count({**truth, "objects": objects}, box).fractional.values(), Fraction(0)))


def _kinds(truth: Mapping[str, Any], boxes: Sequence[Box]) -> tuple[KindLine, ...]:
    found = [count(truth, box).fractional for box in boxes]
    return tuple(KindLine(kind, found[0][kind], tuple(part[kind] for part in found[1:])) for kind in found[0])


def _followed(scans: Iterable[OpenScan], gallery: str) -> Followed | None:
    """From the newest scan of the gallery that knows its equations and how many objects each scene holds."""
    for scan in scans:
        if scan.gallery == gallery and scan.info.residual:
            with suppress(Conflict):  # its files are damaged
                return guarded(_measured, scan.slug, scan.reader)
    return None


def _measured(slug: str, reader: ScanReader) -> Followed | None:
    known, equations = predictors.load(reader.folder, reader.rows), reader.equation
    if known is None or equations is None:
        return None
    rows = np.flatnonzero(np.isfinite(known.number))
    if len(rows) < LEAST:
        return None
    number = known.number[rows].astype(np.float64)
    whole, total = (side[rows].astype(np.float64) for side in (equations.whole, equations.total))
    return Followed(
        scan=slug,
        images=len(rows),
        adds=r2_adding(Sides.of(whole, total)),
        network=spearman(whole.sum(axis=1), number),
        edges=spearman(known.edge_energy[rows].astype(np.float64), number),
    )
