"""Compares two checkpoints: gates and measures on the same images where possible, first filters on one scale."""

from dataclasses import dataclass, replace
from typing import Literal

from app.failures import NotFound
from app.services.checkpoints.measures import GateCell, GateTable, MeasureCell, gate_table, measure_table
from app.services.checkpoints.service import CheckpointRecord, CheckpointsService, OpenCheckpoint
from app.services.evaluations.service import OWN, EvaluationsService, Source
from models.card import Card
from models.filters import pictures as filter_pictures
from models.random_init import NAME as RANDOM_INIT

CONTROL = "random_init"  # the column of an evaluation with the measures of the untrained network
Side = Literal["a", "b"]


@dataclass(frozen=True)
class ComparedCheckpoint:
    """One of the two checkpoints; `source` and `gates` are None where the two were not measured on a common source."""

    record: CheckpointRecord
    card: Card
    source: Source | None
    gates: GateTable | None


@dataclass(frozen=True)
class ComparedMeasure:
    """One measure of both checkpoints; a cell is None where a checkpoint does not have the measure."""

    name: str
    label: str
    help: str
    a: MeasureCell | None
    b: MeasureCell | None

    @property
    def difference(self) -> float | None:
        """The value of b minus that of a; None where one is missing."""
        if self.a is None or self.b is None or self.a.value is None or self.b.value is None:
            return None
        return self.b.value - self.a.value

    @property
    def apart(self) -> bool | None:
        if self.difference is None or self.a is None or self.b is None or not (self.a.interval and self.b.interval):
            return None
        return self.a.interval[1] < self.b.interval[0] or self.b.interval[1] < self.a.interval[0]


@dataclass(frozen=True)
class GateLine:
    """One gate with the results of both checkpoints; `words` name it, `asks` says what it requires."""

    words: str
    asks: str
    required: bool
    a: GateCell
    b: GateCell


@dataclass(frozen=True)
class Comparison:
    """Both checkpoints on one source.

    `choices` are (key, title) of all common sources, `on` is the key of the one shown, None where there is none.
    `warning` says where the images were not the same.
    """

    a: ComparedCheckpoint
    b: ComparedCheckpoint
    choices: tuple[tuple[str, str], ...]
    on: str | None
    warning: str
    gates: tuple[GateLine, ...]
    lines: tuple[ComparedMeasure, ...]


class ComparisonService:
    """Compares what was measured before; it measures nothing itself."""

    def __init__(self, checkpoints: CheckpointsService, evaluations: EvaluationsService) -> None:
        self._checkpoints = checkpoints
        self._evaluations = evaluations

    def compare(self, a: str, b: str, on: str | None = None) -> Comparison:
        """Both on the gallery `on`, or where it is None on the first source that both have. Raises NotFound."""
        both = self._both(a, b)
        found = [self._evaluations.sources(checkpoint) for checkpoint in both]
        for side, other in ((0, 1), (1, 0)):
            if both[side].slug == RANDOM_INIT:
                found[side] = [*found[side], *_starts(found[other], found[side], both[other].record.name)]
        choices = _choices(found[0], found[1])
        if on is not None and on not in dict(choices):
            raise NotFound("not_measured", f"The two were not both measured on {on[:100]!r}.")
        key = on if on is not None else next((key for key, _ in choices), None)
        sources = [next((source for source in part if source.key == key), None) for part in found]
        one, two = (
            ComparedCheckpoint(of.record, of.card, source, gate_table(source.measures) if source is not None else None)
            for of, source in zip(both, sources, strict=True)
        )
        return Comparison(one, two, choices, key, _warning(one, two), _gates(one, two), _lines(one, two))

    def filters_png(self, a: str, b: str, side: Side, *, zoom: int = 4) -> bytes:
        """All first filters of one of the two, largest norm first, on the scale that both share. Raises NotFound."""
        one, two = self._both(a, b)
        layers = {"a": self._checkpoints.first_layer(one), "b": self._checkpoints.first_layer(two)}
        limit = filter_pictures.common_limit(*(layer.trained.weights for layer in layers.values()))
        tiles = filter_pictures.pixels(layers[side].trained.weights, "common", limit=limit)
        return filter_pictures.png(filter_pictures.grid(tiles, order=layers[side].order("norm"), zoom=zoom))

    def _both(self, a: str, b: str) -> tuple[OpenCheckpoint, OpenCheckpoint]:
        return self._checkpoints.open(a), self._checkpoints.open(b)


def _starts(measured: list[Source], known: list[Source], name: str) -> list[Source]:
    """Sources for random init made from the other checkpoint's evaluations, each of which has its untrained network."""
    keys = {source.key for source in known}
    return [
        replace(
            source,
            note=f"{source.note}; random init as {name} began, drawn again from its card",
            measures={**source.measures, "network": source.measures[CONTROL]},
        )
        for source in measured
        if source.key not in keys and source.measures.get(CONTROL)
    ]


def _choices(a: list[Source], b: list[Source]) -> tuple[tuple[str, str], ...]:
    """The sources that both have, as (key, title); the held-out images, which may differ, come last."""
    titles = {source.key: source.title for source in a}
    shared = [source.key for source in b if source.key in titles]
    ordered = sorted(shared, key=lambda key: key == OWN)
    return tuple((key, "each one's own held-out images" if key == OWN else titles[key]) for key in ordered)


def _warning(a: ComparedCheckpoint, b: ComparedCheckpoint) -> str:
    if a.source is None or b.source is None:
        return ""
    if a.source.evaluation is None or b.source.evaluation is None:
        places = [side.card.provenance.get("gallery_fingerprint") for side in (a, b)]
        same = places[0] == places[1] and a.card.config.get("held_out") == b.card.config.get("held_out")
        galleries = f"{a.card.provenance.get('gallery')} and {b.card.provenance.get('gallery')}"
        return "" if same else f"Measured on different images ({galleries}): read differences with care."
    if a.source.evaluation.gallery_fingerprint != b.source.evaluation.gallery_fingerprint:
        return "Measured on two versions of this gallery: read differences with care."
    return a.source.warning and f"Both {a.source.warning}."


def _gates(a: ComparedCheckpoint, b: ComparedCheckpoint) -> tuple[GateLine, ...]:
    if a.gates is None or b.gates is None:
        return ()
    return tuple(
        GateLine(one.gate.words, one.gate.asks, one.gate.required, one.cells[0], two.cells[0])
        for one, two in zip(a.gates.rows, b.gates.rows, strict=True)
    )


def _lines(a: ComparedCheckpoint, b: ComparedCheckpoint) -> tuple[ComparedMeasure, ...]:
    """The measures of the two networks, in the order of the checkpoint's page."""
    if a.source is None or b.source is None:
        return ()
    found: dict[str, dict[str, MeasureCell]] = {"a": {}, "b": {}}
    words: dict[str, tuple[str, str]] = {}
    for side, source in (("a", a.source), ("b", b.source)):
        table = measure_table({"network": source.measures.get("network", {})})
        for row in table.rows if table else ():
            words[row.name] = (row.label, row.help)
            if row.cells[0] is not None:
                found[side][row.name] = row.cells[0]
    return tuple(
        ComparedMeasure(name, *said, found["a"].get(name), found["b"].get(name)) for name, said in words.items()
    )
