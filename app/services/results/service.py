"""The service for results of probes.

There is one table for each gallery and protocol, with a row for each checkpoint or control and a column for each layer
and classifier.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from app.failures import Conflict, NotFound
from app.recent import Recent
from app.services.checkpoints.service import CheckpointsService
from app.services.galleries.service import GalleriesService
from models.galleries.packs import fingerprint
from models.probes import comparison as probe_comparison
from models.probes import results as probe_results
from models.probes.comparison import Difference, Differences
from models.probes.protocol import Protocol
from models.probes.results import CONTROL, FOLDER, HOWS, PICTURES, How, Probe, ProbeScore

KEPT = 512  # how many probes stay in memory, and how many comparisons of two
HOW_WORDS: Mapping[How, str] = {"linear": "Linear classifier on each layer", "knn": "Neighbours in each layer"}


@dataclass(frozen=True)
class ResultColumn:
    """One column of a table: a layer, measured by one classifier."""

    how: How
    layer: str


@dataclass(frozen=True)
class MeasuredRow:
    """One row of a table: a checkpoint or control; `warning` says why it may be out of date, empty where it is not.

    `whole` says that it has one score for all layers, as raw pixels have.
    """

    probe: Probe
    warning: str

    @property
    def control(self) -> bool:
        return self.probe.row.startswith(CONTROL)

    @property
    def whole(self) -> bool:
        return self.probe.row.removeprefix(CONTROL) in PICTURES and self.control

    def score(self, column: ResultColumn) -> ProbeScore | None:
        layer = self.probe.layers[0] if self.whole else self.probe.layer(column.layer)
        return None if layer is None else getattr(layer, column.how)

    def best(self, how: How) -> str | None:
        """The layer with the highest score."""
        return max(self.probe.layers, key=lambda layer: getattr(layer, how).value).name if self.probe.layers else None

    def best_score(self, how: How) -> ProbeScore | None:
        """The score of the layer with the highest score."""
        best = self.best(how)
        return None if best is None else self.score(ResultColumn(how, best))


@dataclass(frozen=True)
class TableChoice:
    """A table that exists: its gallery, its protocol, how many checkpoints it has, and the side of inputs in pixels."""

    gallery: str
    protocol: Protocol
    checkpoints: int
    side: int

    @property
    def words(self) -> str:
        how = self.protocol
        return f"{self.side} px, {how.steps:,} steps, {len(how.seeds)} seeds"


@dataclass(frozen=True)
class Results:
    """One table; `columns` are by classifier, layers in forward order.

    `about` is the probe of the first row, from which the page takes what all rows share.
    """

    choice: TableChoice
    about: Probe
    rows: tuple[MeasuredRow, ...]
    columns: Mapping[How, tuple[ResultColumn, ...]]

    def twins(self, control: MeasuredRow) -> list[str]:
        """The names of the rows that have this untrained network as their control."""
        return [] if control.whole else [row.probe.name for row in self.rows if control.probe.row in row.probe.controls]

    def untrained(self, row: MeasuredRow) -> str | None:
        """The name of the row of the same network before training; None where the table has none."""
        controls = {other.probe.row for other in self.rows if other.control and not other.whole}
        return None if row.control else next((name for name in row.probe.controls if name in controls), None)

    def row(self, name: str) -> MeasuredRow:
        """The row of that name. Raises NotFound."""
        for row in self.rows:
            if row.probe.row == name:
                return row
        raise NotFound("unknown_row", f"There is no row {name[:100]!r} in this table.")


@dataclass(frozen=True)
class Here:
    """The current fingerprints of galleries and hashes of checkpoints' weights in the workspace, by slug."""

    galleries: Mapping[str, str]
    weights: Mapping[str, str]


class ResultsService:
    """Reads the results of probes in the workspace; it measures nothing itself."""

    def __init__(self, workspace: Path, checkpoints: CheckpointsService, galleries: GalleriesService) -> None:
        self._place = workspace / FOLDER
        self._checkpoints = checkpoints
        self._galleries = galleries
        self._known = Recent[tuple[Path, int], Probe | None](KEPT)
        self._differences = lru_cache(maxsize=KEPT)(_differences)

    def choices(self) -> list[TableChoice]:
        """Every table, those with most checkpoints first."""
        found = [_choice(gallery.name, rows) for gallery, rows in self._tables()]
        return sorted(found, key=lambda one: (-one.checkpoints, one.gallery, one.protocol.key))

    def table(self, gallery: str | None = None, protocol: str | None = None) -> Results | None:
        """A table, by default the one with most checkpoints; None where nothing was probed yet. Raises NotFound."""
        fitting = [
            choice
            for choice in self.choices()
            if gallery in (None, choice.gallery) and protocol in (None, choice.protocol.key)
        ]
        if not fitting and (gallery is not None or protocol is not None):
            raise NotFound("not_probed", "Nothing was probed on this gallery by this protocol.")
        if not fitting:
            return None
        probes = self._probes(fitting[0])
        return _results(fitting[0], probes, self._here(probes))

    def of(self, checkpoint: str) -> list[tuple[TableChoice, MeasuredRow]]:
        """The rows of one checkpoint in all tables, each with its table."""
        tables = [(choice, self._probes(choice)) for choice in self.choices()]
        here = self._here(probe for _, probes in tables for probe in probes)
        return [
            (choice, MeasuredRow(probe, _warning(probe, here)))
            for choice, probes in tables
            for probe in probes
            if probe.row == checkpoint
        ]

    def compare(self, results: Results, first: str, second: str) -> Differences:
        """The scores of the first row minus those of the second, on the same images. Raises NotFound, Conflict."""
        one, two = results.row(first).probe, results.row(second).probe
        if one.stamp != two.stamp or one.gallery_fingerprint != two.gallery_fingerprint:
            raise Conflict("other_images", "The two were measured on different versions of this gallery; probe again.")
        folder = self._place / results.choice.gallery / results.choice.protocol.key
        return self._differences(folder, one, two)

    def gains(self, results: Results) -> Mapping[str, Mapping[How, Difference]]:
        """By row, the score of its best layer minus that of the untrained network's best layer.

        Only rows for which both were measured on the same images.
        """
        found: dict[str, Mapping[How, Difference]] = {}
        for row in results.rows:
            before = results.untrained(row)
            if before is not None:
                with suppress(Conflict):
                    found[row.probe.row] = self.compare(results, row.probe.row, before).best
        return found

    def _tables(self) -> Iterator[tuple[Path, list[Probe]]]:
        for gallery in sorted(path for path in self._place.glob("*") if path.is_dir()):
            for protocol in sorted(path for path in gallery.glob("*") if path.is_dir()):
                rows = [row for path in sorted(protocol.glob("*")) if (row := self._row(path)) is not None]
                if any(not row.row.startswith(CONTROL) for row in rows):  # otherwise the first probe is still running
                    yield gallery, rows

    def _row(self, folder: Path) -> Probe | None:
        try:
            modified = (folder / probe_results.RESULT).stat().st_mtime_ns
        except OSError:
            return None
        return self._known.get((folder, modified), lambda: probe_results.read(folder))

    def _probes(self, choice: TableChoice) -> list[Probe]:
        """The probes of a table, checkpoints before controls."""
        folder = self._place / choice.gallery / choice.protocol.key
        probes = [row for path in sorted(folder.glob("*")) if (row := self._row(path)) is not None]
        return sorted(probes, key=lambda row: (row.row.startswith(CONTROL), row.row[1:] in PICTURES, row.row))

    def _here(self, probes: Iterable[Probe]) -> Here:
        """The galleries and checkpoints of these probes that are in the workspace."""
        listed = list(probes)
        galleries = self._galleries.named(probe.gallery for probe in listed)
        return Here(
            {slug: fingerprint(gallery.shards) for slug, gallery in galleries.items()},
            self._checkpoints.weights(probe.checkpoint for probe in listed if probe.checkpoint is not None),
        )


def _results(choice: TableChoice, probes: Sequence[Probe], here: Here) -> Results:
    rows = tuple(MeasuredRow(probe, _warning(probe, here)) for probe in probes)
    names = dict.fromkeys(layer.name for row in rows if not row.whole for layer in row.probe.layers)
    columns = {how: tuple(ResultColumn(how, name) for name in names) for how in HOWS}
    return Results(choice, probes[0], rows, columns)


def _warning(probe: Probe, here: Here) -> str:
    """Why a row may no longer be valid, or how many test images were seen in training; empty where all is well."""
    if probe.before != probe.after:
        return "the network changed while it was probed"
    gallery = here.galleries.get(probe.gallery)
    if gallery != probe.gallery_fingerprint:
        changed = "measured on another version of this gallery"
        return "its gallery is not in this workspace" if gallery is None else changed
    if probe.checkpoint is not None:
        weights = here.weights.get(probe.checkpoint)
        if weights != probe.weights_sha256:
            changed = "measured on other weights of this name"
            return "its checkpoint is not here any more" if weights is None else changed
    return f"{probe.seen} of its test images were seen in training" if probe.seen else ""


def _choice(gallery: str, rows: list[Probe]) -> TableChoice:
    checkpoints = sum(not row.row.startswith(CONTROL) for row in rows)
    return TableChoice(gallery, rows[0].protocol, checkpoints, rows[0].side)


def _differences(folder: Path, first: Probe, second: Probe) -> Differences:
    return probe_comparison.compare(folder / first.row, first, folder / second.row, second)
