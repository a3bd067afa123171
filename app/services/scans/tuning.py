"""Tuning curves of a scan: how the total count and every active unit respond to each factor of generated scenes.

They are compared, on the same scenes, with two controls: edge energy, which adds up without recognising objects, and
the total count of the untrained network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.failures import Conflict, NotFound
from app.recent import Recent
from app.services.galleries.service import GalleriesService
from app.services.scans.service import OpenScan, ScanRecord, ScansService, guarded
from models.active_units import active
from models.counting import predictors
from models.counting.partial import Follows, rank_correlations
from models.counting.predictors import Predictors
from models.counting.sweeps import Sweep, sweeps_of
from models.counting.tuning import SWEEPS, Panel, Response, panel, responses
from models.counting.tuning_words import beside, sentence
from models.galleries.packs import Pack
from models.random_init import NAME as RANDOM_INIT

BEST_UNITS = 6
OPEN = 8
GALLERIES = 64  # for how many it is remembered whether they hold sweeps, because the page of every scan asks
TOTAL, EDGES, RANDOM = "total", "edge energy", "random init"

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Correlated:
    """How one value follows number, area and edge energy over `n` mixed scenes; `unit` is None for a series."""

    name: str
    unit: int | None
    n: int
    follows: Mapping[str, Follows]


@dataclass(frozen=True)
class Tuning:
    """The tuning curves over all sweeps of a scanned gallery.

    The columns of every panel, and `responses`, are the `series` followed by the active `units`. Series are the total,
    and edge energy and the total of random init where they are known. `panels` are by the name of the sweep.
    `random_scan` is the scan of random init; `measured` says whether area and edge energy were measured; `mixed` is the
    number of scenes that belong to no sweep.
    """

    record: ScanRecord
    series: tuple[str, ...]
    units: tuple[int, ...]
    panels: Mapping[str, Panel]
    responses: tuple[Response, ...]
    correlated: tuple[Correlated, ...]
    random_scan: str | None
    measured: bool
    mixed: int

    def column(self, name: str) -> int | None:
        """The place of a series among the columns; None where it is not known."""
        return self.series.index(name) if name in self.series else None

    def unit_column(self, unit: int) -> int:
        """The place of a unit among the columns. Raises NotFound where it is not active."""
        if unit not in self.units:
            raise NotFound("unknown_unit", f"Unit {unit} is not among the {len(self.units)} active ones.")
        return len(self.series) + self.units.index(unit)

    def sentences(self) -> tuple[str, ...]:
        """Sentences that say what the numbers mean, for the total and for its controls."""
        total, edges, random = (self.column(name) for name in (TOTAL, EDGES, RANDOM))
        said = [] if total is None else [sentence(self.responses[total])]
        if total is not None and edges is not None:
            said.append(beside(self.responses[total], self.responses[edges], EDGES))
        if random is not None:
            said.append(sentence(self.responses[random], name="random init's total"))
        return tuple(text for text in said if text)


class TuningService:
    """Computes tuning curves when they are first asked for, and keeps them."""

    def __init__(self, scans: ScansService, galleries: GalleriesService) -> None:
        self._scans = scans
        self._galleries = galleries
        self._tunings = Recent[tuple[object, ...], Tuning](OPEN)
        self._swept = Recent[str, bool](GALLERIES)

    def has_sweeps(self, pack: Pack) -> bool:
        """Whether a gallery holds sweeps of generated scenes."""
        return self._swept.get(pack.fingerprint, lambda: any(scene and scene.get("sweep") for scene in pack.scenes()))

    def tuning(self, scan: OpenScan) -> Tuning:
        """The tuning curves of a scan. Raises Conflict where the scan has no counts or its gallery no sweeps."""
        random = self._random(scan)
        key = (scan.slug, scan.record.shards, None if random is None else (random.slug, random.record.shards))
        return self._tunings.get(key, lambda: guarded(_compute, scan, random))

    def _random(self, scan: OpenScan) -> OpenScan | None:
        """The newest scan of the untrained network over the same gallery that covers at least as many rows."""
        if scan.record.checkpoint == RANDOM_INIT:
            return None
        for slug, checkpoint in self._galleries.scans(scan.gallery):
            if checkpoint == RANDOM_INIT:
                try:
                    found = self._scans.open(slug)
                except Conflict:  # it fits the gallery no longer
                    continue
                if found.record.rows >= scan.record.rows and "counts" in found.record.layers:
                    return found
        return None


def _compute(scan: OpenScan, random: OpenScan | None) -> Tuning:
    record, reader = scan.record, scan.reader
    if "counts" not in record.layers:
        raise Conflict("no_counts", "This scan has no count vectors: its network has no counting head.")
    scenes = scan.pack.scenes()[: record.rows]
    sweeps = sweeps_of(scenes)
    if not sweeps:
        raise Conflict("no_sweeps", f"The gallery {record.gallery} holds no matched sweeps of generated scenes.")
    known = predictors.load(reader.folder, record.rows)
    counts = reader.embeddings("counts").astype(np.float64)
    units = _active(counts)
    columns = {TOTAL: counts.sum(axis=1)}
    if known is not None:
        columns[EDGES] = known.edge_energy.astype(np.float64)
    if random is not None:
        others = random.reader.embeddings("counts")[: record.rows]
        columns[RANDOM] = others.sum(axis=1, dtype=np.float64)
    values = np.column_stack([*columns.values(), counts[:, units]])
    areas = _areas(scenes, known)
    panels = {name: panel(values, sweeps[name], areas) for name in _ordered(sweeps)}
    mixed = np.array([row for row, scene in enumerate(scenes) if scene and not scene.get("sweep")], dtype=np.int64)
    return Tuning(
        record=record,
        series=tuple(columns),
        units=tuple(units),
        panels=panels,
        responses=tuple(responses(panels, values)),
        correlated=tuple(_correlated(columns, counts, units, known, mixed)),
        random_scan=None if random is None else random.slug,
        measured=known is not None,
        mixed=len(mixed),
    )


def _active(counts: Doubles) -> list[int]:
    return [int(unit) for unit in np.flatnonzero(active(counts.mean(axis=0)))]


def _ordered(sweeps: Mapping[str, Sweep]) -> list[str]:
    return [*(name for name in SWEEPS if name in sweeps), *sorted(set(sweeps) - set(SWEEPS))]


def _areas(scenes: Sequence[Mapping[str, Any] | None], known: Predictors | None) -> Doubles:
    """The area that objects cover in each scene; where it was not measured, their squared size times their number."""
    if known is not None:
        return known.area.astype(np.float64)
    rough = [float((scene or {}).get("size") or 0) ** 2 * int((scene or {}).get("number") or 0) for scene in scenes]
    return np.array(rough)


def _correlated(
    columns: Mapping[str, Doubles],
    counts: Doubles,
    units: list[int],
    known: Predictors | None,
    mixed: NDArray[np.int64],
) -> list[Correlated]:
    """How the series follow each factor over all mixed scenes, and how the best units do.

    The best units have the highest partial correlation with number. They are chosen on one half of the scenes and
    measured on the other, so that the choice does not make them look better than they are.
    """
    if known is None or len(mixed) < 20:
        return []
    by = {"number": known.number, "area": known.area, "edge energy": known.edge_energy}

    def over(values: Doubles, rows: NDArray[np.int64]) -> list[dict[str, Follows]]:
        return rank_correlations(values[rows], {name: one[rows].astype(np.float64) for name, one in by.items()})

    shown = {name: values for name, values in columns.items() if name != EDGES}
    found = over(np.column_stack(list(shown.values())), mixed)
    said = [Correlated(name, None, len(mixed), follows) for name, follows in zip(shown, found, strict=True)]
    halves = np.arange(len(mixed)) // 2 % 2  # by twos: a gallery of both splits takes scenes from them in turn
    rest = mixed[halves == 1]
    chosen = [partial_of(follows) for follows in over(counts[:, units], mixed[halves == 0])]
    best = [units[place] for place in np.argsort(-np.abs(chosen), kind="stable")[:BEST_UNITS]]
    found = over(counts[:, best], rest) if best else []
    return said + [Correlated(f"unit {u}", u, len(rest), follows) for u, follows in zip(best, found, strict=True)]


def partial_of(follows: Mapping[str, Follows], name: str = "number") -> float:
    """The correlation with one factor while the other factors are held fixed; 0 where it is not defined."""
    found = follows[name].partial
    return 0.0 if found is None else found.value
