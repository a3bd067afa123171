"""The content of an inspected file's page: the chosen weights, what they would become, and every tensor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.failures import BadQuery, NotFound
from app.services.foreign.checkpoints import suggested_name
from app.services.foreign.inspections import InspectionRecord, InspectionsService
from models.card import FILTERS_ONLY
from models.foreign.formats import FORMATS
from models.foreign.weights import WeightsCandidate

SHOWN: Final = 400  # rows of one table on the page; its JSON twin has all of them


@dataclass(frozen=True)
class TensorRow:
    """A row about a tensor of the file; `spread` is its smallest and largest value, `note` what is special about it."""

    name: str
    shape: str
    dtype: str
    spread: str
    note: str = ""


@dataclass(frozen=True)
class Fate:
    """What becomes of some tensors, such as matched or missing: how many they are, and a table of them.

    `tone` is the colour of the badge, `words` explain the title.
    """

    key: str
    title: str
    count: int
    tone: str
    words: str
    rows: Sequence[TensorRow]


@dataclass(frozen=True)
class InspectionView:
    """The view of an inspected file, of which `candidate` is the chosen set of weights out of `choices`.

    `report` is None where no known architecture has such tensors and none of them is a first layer. `named` is the
    architecture that a person named, `refused` says why that one is not possible. `name` is a suggestion for the
    checkpoint's name.
    """

    record: InspectionRecord
    format: str
    choices: Sequence[WeightsCandidate]
    candidate: WeightsCandidate
    report: Mapping[str, Any] | None
    filters: Mapping[str, Any] | None
    fates: Sequence[Fate]
    tensors: Sequence[TensorRow]
    named: str
    name: str
    refused: BadQuery | None = None

    @property
    def filters_only(self) -> bool:
        """Whether nothing but the first layer's filters can be studied."""
        return self.report is not None and self.report["guess"]["architecture"] == FILTERS_ONLY

    @property
    def offers(self) -> Sequence[Mapping[str, Any]]:
        """The plausible ways to prepare images, the most plausible first."""
        return [] if self.report is None or self.filters_only else self.report["guess"]["preprocess"]

    @property
    def others(self) -> Sequence[Mapping[str, Any]]:
        """The other architectures that the tensors may belong to."""
        return [] if self.report is None else self.report["others"]

    @property
    def not_finite(self) -> int:
        """The number of tensors with values that are NaN or infinite."""
        return sum(info.finite is False for info in self.candidate.tensors.values())

    @property
    def can_register(self) -> bool:
        return self.report is not None and bool(self.report["fits"] or self.filters_only)

    @property
    def alone(self) -> str | None:
        """The name of the choice that registers the first layer's filters alone; None where there is none."""
        known = [] if self.report is None else [self.report["guess"], *self.report["others"]]
        return next((guess["title"] for guess in known if guess["architecture"] == FILTERS_ONLY), None)


def inspection_view(
    inspections: InspectionsService, inspection: str, candidate: str | None, architecture: str | None
) -> InspectionView:
    """The view of the weights and architecture that are asked for, by default of the most plausible ones.

    Where the named architecture is not possible, the view says why in `refused` and shows the default. Raises NotFound.
    """
    record = inspections.get(inspection)
    chosen = _chosen(record, candidate)
    report = record.reports.get(chosen.name)
    named, refused = (architecture or "").strip(), None
    if named:
        try:
            report = inspections.report(record, chosen.name, named)
        except BadQuery as error:
            refused = error
    return InspectionView(
        record=record,
        format=FORMATS[record.inspection.format][0] if record.inspection.format in FORMATS else "",
        choices=record.inspection.plausible,
        candidate=chosen,
        report=report,
        filters=record.filters.get(chosen.name),
        fates=[] if report is None else _fates(chosen, report),
        tensors=[_row(chosen, name) for name in list(chosen.tensors)[:SHOWN]],
        named=named if refused is None else "",
        name=suggested_name(record, chosen.name),
        refused=refused,
    )


def _chosen(record: InspectionRecord, wanted: str | None) -> WeightsCandidate:
    if not wanted:
        return record.inspection.plausible[0]
    try:
        return record.inspection.candidate(wanted)
    except KeyError:
        raise NotFound("unknown_candidate", f"The file has no weights {wanted[:80]!r}.") from None


def _fates(candidate: WeightsCandidate, report: Mapping[str, Any]) -> list[Fate]:
    """What becomes of the tensors, problems first; fates that no tensor has are left out."""
    wrong = [_row(candidate, it["name"], f"needs {_shape(it['wanted'])}") for it in report["wrong"]]
    reshaped = [_row(candidate, it["name"], f"as {_shape(it['to'])}") for it in report["reshaped"]]
    missing = [TensorRow(name, "", "", "") for name in report["missing"]]
    filled = [TensorRow(name, "", "", "", "0") for name in report["filled"]]
    rows = {
        key: [_row(candidate, name) for name in report[key] if name in candidate.tensors]
        for key in ("unexpected", "matched")
    }
    beside = [_row_of(name, info) for name, info in candidate.beside.items()]
    headed = [
        _row(candidate, name, head["kind"])
        for head in report["guess"]["heads"]
        if not head["kept"]
        for name in head["tensors"]
        if name in candidate.tensors
    ]
    table: tuple[tuple[str, str, str, str, list[TensorRow]], ...] = (
        ("missing", "missing", "bad", "The network needs them and the file does not have them.", missing),
        ("wrong", "of another shape", "bad", "The file has them, in a shape that does not fit.", wrong),
        (
            "unexpected",
            "unexpected",
            "bad",
            "The file has them and the network has no place for them.",
            rows["unexpected"],
        ),
        ("reshaped", "reshaped", "warn", "Same values in the same order, in another shape.", reshaped),
        (
            "heads",
            "of heads, left out",
            "info",
            "They belong to a head of the task that was trained, named above.",
            headed,
        ),
        ("beside", "beside them", "info", "In the same dict, outside these weights: heads, queues, decoders.", beside),
        (
            "filled",
            "counters filled",
            "info",
            "Batch norm's counters, which old files lack and which mean nothing now.",
            filled,
        ),
        ("matched", "matched", "good", "Each has its place in the network.", rows["matched"]),
    )
    return [Fate(key, title, len(rows), tone, words, rows[:SHOWN]) for key, title, tone, words, rows in table if rows]


def _row(candidate: WeightsCandidate, name: str, note: str = "") -> TensorRow:
    return _row_of(name, candidate.tensors[name], note)


def _row_of(name: str, info: Any, note: str = "") -> TensorRow:
    spread = "" if info.low is None else f"{info.low:.3g} to {info.high:.3g}"
    bad = f", {info.bad:,} not finite" if info.bad else ""
    return TensorRow(name, _shape(info.shape), info.dtype, spread + bad, note)


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "1"
