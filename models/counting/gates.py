"""Does it count? The gates as data, and the sentence about a network that they allow.

Every gate is one that at least one of three controls fails: a network that averages its tiles, one that was never
trained, one that answers the same to every image. A gate is passed where the whole 95 % interval lies on the right side
of the threshold, and failed where all of it lies on the wrong side; in between it is undecided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["pass", "fail", "unclear", "unmeasured"]
Cells = Mapping[str, Any]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Gate:
    """One thing that a network which counts must do.

    `measure` is compared with `threshold`, or with what stands at `beside` (column and measure; the column `network` is
    the one that is judged), called `than` in words. `paired` names the measure of the difference of the two on the same
    images, which is compared with 0 where the card has it. `required` gates decide the sentence; the others are aims
    that are reported.
    """

    name: str
    words: str
    measure: str
    at_least: bool = True
    threshold: float | None = None
    beside: tuple[str, str] | None = None
    than: str = ""
    paired: str | None = None
    required: bool = True
    strict: bool = False

    @property
    def asks(self) -> str:
        """The condition in words: `at least 0.8`."""
        if self.threshold is None:
            return f"above {self.than}"
        if self.at_least:
            return f"{'above' if self.strict else 'at least'} {self.threshold:g}"
        return f"{'below' if self.strict else 'at most'} {self.threshold:g}"


GATES: tuple[Gate, ...] = (
    Gate("additivity", "additivity ratio", "additivity_ratio", threshold=0.8),
    Gate("adds", "R² of adding", "r2_adding", threshold=0.3, strict=True),
    Gate(
        "adds_not_averages",
        "R² of adding against averaging",
        "r2_adding",
        beside=("network", "r2_averaging"),
        than="R² of averaging",
        paired="r2_gain",
    ),
    Gate(
        "knows_its_image",
        "matched over norm-matched error",
        "matched_to_norm_matched",
        at_least=False,
        threshold=0.25,
    ),
    Gate("many_units", "active units", "active_units", threshold=15),
    Gate(
        "learned_features",
        "20-NN accuracy of conv5",
        "knn20_conv5",
        beside=("random_init", "knn20_conv5"),
        than="random init",
        paired="knn20_conv5_gain",
    ),
    Gate(
        "smooth_filters",
        "median TV ratio of the first filters",
        "conv1_tv_ratio",
        at_least=False,
        threshold=1.1,
        strict=True,
    ),
    Gate(
        "grows_with_area",
        "growth exponent",
        "growth_exponent",
        beside=("random_init", "growth_exponent"),
        than="random init",
        required=False,
    ),
    Gate(
        "counts_beat_pixels",
        "20-NN accuracy of the counts",
        "knn20_counts",
        beside=("raw_pixels", "knn20_counts"),
        than="raw pixels",
        paired="knn20_counts_gain_pixels",
        required=False,
    ),
    Gate(
        "counts_beat_untrained",
        "20-NN accuracy of the counts",
        "knn20_counts",
        beside=("random_init", "knn20_counts"),
        than="random init",
        paired="knn20_counts_gain",
        required=False,
    ),
)


@dataclass(frozen=True)
class GateResult:
    """The outcome of one gate: the measured value and interval, what it was compared with, and the verdict."""

    gate: Gate
    verdict: Verdict
    value: float | None = None
    interval: Interval | None = None
    n: int | None = None
    bar: float | None = None


def judge(
    measures: Mapping[str, Cells], column: str = "network", gates: Sequence[Gate] = GATES
) -> tuple[GateResult, ...]:
    """Every gate for one column of a card's measures (`network`, or a control)."""
    return tuple(_judge(gate, measures, column) for gate in gates)


def _judge(gate: Gate, measures: Mapping[str, Cells], column: str) -> GateResult:
    cells = measures.get(column, {})
    cell = cells.get(gate.measure)
    bar_cell = _beside(gate, measures, column)
    bar = gate.threshold if gate.threshold is not None else _value(bar_cell)
    if cell is None or (gate.threshold is None and bar_cell is None):
        return GateResult(gate, "unmeasured", _value(cell), _interval(cell), _count(cell), bar)
    value, interval = _value(cell), _interval(cell)
    return GateResult(gate, _verdict(gate, cells, cell, bar_cell), value, interval, _count(cell), bar)


def _verdict(gate: Gate, cells: Cells, cell: Mapping[str, Any], bar_cell: Mapping[str, Any] | None) -> Verdict:
    """The verdict; a value that is not defined (the R² of something that never varies) fails, as a network should have
    one.
    """
    value = _value(cell)
    if value is None:
        return "fail"
    if gate.threshold is not None:
        return _side(gate, value, _interval(cell), gate.threshold)
    bar = _value(bar_cell)
    if bar is None:
        return "fail"
    difference = cells.get(gate.paired) if gate.paired else None
    if difference is not None:
        return _side(gate, _value(difference), _interval(difference), 0.0)
    if bar_cell is cell:  # a control beside itself
        return "fail"
    own, other = _interval(cell) or (value, value), _interval(bar_cell) or (bar, bar)
    return _side(gate, value - bar, (own[0] - other[1], own[1] - other[0]), 0.0)


def _side(gate: Gate, value: float | None, interval: Interval | None, bar: float) -> Verdict:
    if value is None:
        return "fail"
    low, high = interval or (value, value)
    strict = gate.strict or gate.threshold is None
    if not gate.at_least:
        low, high, bar = -high, -low, -bar
    if low > bar or (low == bar and not strict):
        return "pass"
    if high < bar or (high == bar and strict):
        return "fail"
    return "unclear"


def _beside(gate: Gate, measures: Mapping[str, Cells], column: str) -> Mapping[str, Any] | None:
    if gate.beside is None:
        return None
    where, measure = gate.beside
    found: Mapping[str, Any] | None = measures.get(column if where == "network" else where, {}).get(measure)
    return found


def _value(cell: Mapping[str, Any] | None) -> float | None:
    return None if cell is None or cell.get("value") is None else float(cell["value"])


def _interval(cell: Mapping[str, Any] | None) -> Interval | None:
    ends = None if cell is None else cell.get("interval")
    return (float(ends[0]), float(ends[1])) if ends else None


def _count(cell: Mapping[str, Any] | None) -> int | None:
    return None if cell is None else cell.get("n")


def sentence(results: Sequence[GateResult]) -> str:
    """The strongest claim that the gates allow, in words, and everything that speaks against it."""
    required = [result for result in results if result.gate.required]
    groups = {verdict: [r for r in required if r.verdict == verdict] for verdict in ("fail", "unclear", "unmeasured")}
    rest = [text for verdict, found in groups.items() if (text := _list(verdict, found))]
    passed = sum(result.verdict == "pass" for result in required)
    if not rest:
        return f"It counts: all {len(required)} gates are passed."
    return f"{_claim(required)}. {passed} of {len(required)} gates passed. {' '.join(rest)}"


def _claim(required: Sequence[GateResult]) -> str:
    """How the network compares with an averager, which alone decides whether it counts at all."""
    verdicts = {result.gate.name: result.verdict for result in required}
    better, adds = verdicts.get("adds_not_averages"), verdicts.get("adds")
    if better == "pass":
        short = "but not as well as it should" if adds == "pass" else "but does not count well"
        return f"Adds more than it averages, {short}"
    if better == "fail":
        return "Does not count: its tiles explain the whole better averaged than added"
    if better == "unclear":
        return "Cannot be told from an averager"
    return "Nobody knows yet whether it counts"


_LEADS: Mapping[str, str] = {
    "fail": "Missed",
    "unclear": "Cannot tell, the interval crosses the line",
    "unmeasured": "Not measured",
}


def _list(verdict: str, results: Sequence[GateResult]) -> str:
    told = (result.gate.words if verdict == "unmeasured" else _told(result) for result in results)
    return f"{_LEADS[verdict]}: {', '.join(told)}." if results else ""


def _told(result: GateResult) -> str:
    value = "not defined" if result.value is None else f"{result.value:.3g}"
    bar = f", {result.bar:.3g}" if result.gate.threshold is None and result.bar is not None else ""
    return f"{result.gate.words} {value} ({result.gate.asks}{bar})"
