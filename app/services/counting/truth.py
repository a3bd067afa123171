"""Compares a network's counts in an image with the truth (the oracle) and with edge energy, a control.

The oracle counts every object by the share of its visible pixels, so its residual is 0 by construction. Edge energy
adds up over tiles as well but knows nothing of objects, which shows that adding up is not the same as counting.
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
LEAST = 16  # scenes; with fewer a rank correlation says nothing


@dataclass(frozen=True)
class KindLine:
    """One kind of object: its fractional count in the crop and in each of its four tiles."""

    kind: str
    whole: Fraction
    tiles: tuple[Fraction, ...]


@dataclass(frozen=True)
class Counter:
    """One way of counting: its count of the crop and of its tiles, and two measures over the scanned gallery.

    `adds` is the R² of predicting the whole by the sum of the tiles, `follows` is Spearman's rho of the whole with the
    number of objects; both are None without a scan that measured them.
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
    """The true counts of the crop, and the counts of oracle, network and edge energy.

    `annotated` says that people marked the objects. The counters' measures are over `images` images of `scan`, which is
    None where there is none.
    """

    annotated: bool
    kinds: tuple[KindLine, ...]
    counters: tuple[Counter, ...]
    scan: str | None
    images: int


@dataclass(frozen=True)
class Followed:
    """Measures over `images` scenes of a scan.

    `adds` is the R² of predicting the network's whole by the sum of its tiles; `network` and `edges` are Spearman's rho
    of the network's count and of edge energy with the number of objects.
    """

    scan: str
    images: int
    adds: float | None
    network: float | None
    edges: float | None


def quarters(box: Box) -> tuple[Box, Box, Box, Box]:
    """The four equal tiles of a box: top left, top right, bottom left, bottom right."""
    left, top, right, bottom = box
    x, y = (left + right) / 2, (top + bottom) / 2
    return (left, top, x, y), (x, top, right, y), (left, y, x, bottom), (x, y, right, bottom)


def count_truth(pack: Pack, row: int, counted: Counted, scans: Iterable[OpenScan], gallery: str) -> CountTruth | None:
    """The truth of a row's crop beside what was counted there; None where it is not known.

    `scans` are those of the checkpoint, newest first; they are read only where there is a truth.
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
    exact = 1.0 if over else None  # by construction; shown only beside measured values
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
    """The fractional count of all objects in a box, without their parts."""
    objects = [{**found, "parts": ()} for found in truth["objects"]]
    return float(sum(count({**truth, "objects": objects}, box).fractional.values(), Fraction(0)))


def _kinds(truth: Mapping[str, Any], boxes: Sequence[Box]) -> tuple[KindLine, ...]:
    found = [count(truth, box).fractional for box in boxes]
    return tuple(KindLine(kind, found[0][kind], tuple(part[kind] for part in found[1:])) for kind in found[0])


def _followed(scans: Iterable[OpenScan], gallery: str) -> Followed | None:
    """The measures of the newest scan of the gallery with residuals; None where there is none."""
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
