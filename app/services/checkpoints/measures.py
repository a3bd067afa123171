"""A checkpoint's measures as pages show them: gates with their verdicts, measures beside controls, facts in words."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import mode
from typing import Any, Literal, TypeGuard

from app.services.checkpoints import preprocess_words
from app.services.checkpoints.curves import CurveGroup, collapsed_cost, curve_groups
from models.card import Card
from models.counting import gates
from models.counting.gates import Gate, GateResult, Verdict
from models.recipes.counting import KERNELS

Tone = Literal["good", "warn", "bad"]
Measures = Mapping[str, Any]

COLUMNS = {
    "network": "this checkpoint",
    "random_init": "random init",
    "chance": "guessing",
    "five_sigma": "guessing + 5 σ",
    "averager": "averager",
    "constant": "constant",
    "raw_pixels": "raw pixels",
    "edge_energy": "edge energy",
}
JUDGED = ("network", "random_init", "averager", "constant")
VERDICTS: dict[Verdict, tuple[str, str]] = {
    "pass": ("passed", "good"),
    "fail": ("missed", "bad"),
    "unclear": ("cannot tell", "warn"),
    "unmeasured": ("not measured", ""),
}
MEASURES = {
    "loss": ("Loss", "the task's own"),
    "accuracy": ("Accuracy", "share of the puzzles that are solved"),
    **{
        f"accuracy_{number}_intruders": (f"Accuracy, {number} intruders", "puzzles with so many tiles of another photo")
        for number in range(9)
    },
    "place_error": (
        "Error of a patch's place",
        "root mean square distance, in sides of the crop, of the place that a linear map reads from one patch's fc6",
    ),
    "loss_of_prior": ("Loss of the prior", "the best answer that is the same everywhere, on the same photos"),
    "gain_over_prior": ("Loss below the prior's", "difference on the same photos; above 0 where something was learned"),
    **{
        f"{side}_{name}": (f"{side.capitalize()}: {words}", help)
        for side in ("colours", "lightness")
        for name, words, help in (
            ("loss", "loss", "of what one half tells"),
            ("loss_of_prior", "loss of the prior", "the bins' shares among the training photos, on the same photos"),
            ("accuracy", "accuracy", "share of the pixels whose bin is told"),
        )
    },
    "colour_error": ("Colour error", "distance in ab of the colours drawn from those of the photo"),
    "colour_error_of_gray": ("Colour error of gray", "the same without any colours"),
    "saturation": ("Saturation", "mean length in ab of the colours drawn; the photos' is the colour error of gray"),
    "hole_error": ("Squared error in the hole", "mean over its pixels, 0 to 1"),
    "hole_error_of_border": ("The same of one colour", "the mean of the visible border, on the same photos"),
    "gain_over_border": (
        "Squared error below that of one colour",
        "difference on the same photos; above 0 where something was learned",
    ),
    "psnr": ("PSNR in the hole", "decibels, the mean over photos"),
    "psnr_of_border": ("PSNR of one colour", "the mean of the visible border, on the same photos"),
    "pull": ("Squared error of the equation", "mean |φ(Dx) − Σφ(Tⱼx)|²"),
    "additivity_ratio": ("Additivity ratio", "total of φ(Dx) over total of the tiles: adding gives 1, averaging 0.25"),
    "r2_adding": ("R² of adding", "share of the variance of φ(Dx) that the sum of the tiles explains"),
    "r2_averaging": ("R² of averaging", "the same for a quarter of that sum"),
    "r2_gain": ("R² of adding less that of averaging", "of the same images; above 0 where adding explains more"),
    "matched_to_mismatched": ("Matched / mismatched error", "0 is perfect, 1 tells no image from another"),
    "matched_to_norm_matched": ("The same, at similar norm", "adding gives 0, averaging 0.53"),
    "growth_exponent": ("Growth exponent", "β in |φ| ~ area^β: adding gives 1, averaging 0"),
    "active_units": (
        "Active units",
        "mean above a thousandth of the largest mean; says little alone, see the next row",
    ),
    "firing_units": ("Units that fire on more than 5 % of the images", ""),
    "firing_share": ("Share of images on which a unit fires", "the mean over active units"),
    "participation_ratio": ("Participation ratio", "effective number of units"),
    "unit_and_number": ("One unit and the number of things", "Spearman's ρ, the unit chosen on the other half"),
    "total_and_number": ("Total and the number of things", "Spearman's ρ with the number that is present in the crop"),
    "mirror_rank": ("Mirror rank correlation", "of |φ| of the images and of their mirrors"),
    "magnitude_and_intensity": ("|φ| and mean intensity", "correlation; a light meter has 1"),
    "magnitude_and_contrast": ("|φ| and RMS contrast", "correlation"),
    "top8_over_mean": ("Top 8 over the mean", "median active unit; n counts units"),
    "top8_overlap": ("Overlap of top 8", "median Jaccard index of two active units; n counts units"),
    "crop_curve_high": ("Crop curve, high set", "Spearman of area and mean |φ| over 10 bins, the 100 that count most"),
    "crop_curve_low": ("Crop curve, low set", "the same for the 100 that count least"),
    "crop_slope_high": ("Crop slope, high set", "mean |φ| per unit of area"),
    "crop_slope_low": ("Crop slope, low set", "the same for the 100 that count least"),
    **{
        f"knn20_{layer}": (f"20-NN accuracy, {words}", "classes of labelled photos; raw pixels are 16 × 16")
        for layer, words in (("counts", "count vector"), *((f"conv{n}", f"conv{n}") for n in (5, 4, 3, 2, 1)))
    },
    "precision5_counts": ("Precision at 5, count vector", "share of the five nearest photos that have the same class"),
    "precision5_conv5": ("Precision at 5, conv5", "the same in conv5, averaged over space"),
    "conv1_tv_ratio": ("First filters: median TV ratio", "noise has 1.41, smooth filters are below 1.1"),
}
GAIN = re.compile(r"knn20_(\w+?)_gain(_pixels)?")
ERRORS = "relative_error_by_kernel"


@dataclass(frozen=True)
class MeasureCell:
    """A measured value with its 95 % interval and the number of images; each is None where it is not known."""

    value: float | None
    interval: tuple[float, float] | None
    n: int | None


@dataclass(frozen=True)
class MeasureRow:
    """One measure with a cell for each column; None where the column does not have it."""

    name: str
    label: str
    help: str
    cells: tuple[MeasureCell | None, ...]


@dataclass(frozen=True)
class MeasureTable:
    """Measures of a checkpoint beside those of its controls; `images` is how many images most of them are over."""

    columns: tuple[str, ...]
    rows: tuple[MeasureRow, ...]
    images: int | None


@dataclass(frozen=True)
class GateCell:
    """One gate for one column: the measured value, the bar that it has to reach, and the verdict.

    `word` and `tone` are the verdict as it is shown.
    """

    measured: MeasureCell
    verdict: Verdict
    bar: float | None

    @property
    def word(self) -> str:
        return VERDICTS[self.verdict][0]

    @property
    def tone(self) -> str:
        return VERDICTS[self.verdict][1]


@dataclass(frozen=True)
class GateRow:
    """A gate in every column."""

    gate: Gate
    cells: tuple[GateCell, ...]


@dataclass(frozen=True)
class GateTable:
    """The gates of a checkpoint beside its controls.

    `keys` name the columns in JSON, `columns` on pages. `sentence` says what the verdicts mean for the checkpoint. It
    passed `passed` of the `required` gates that it must pass.
    """

    keys: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[GateRow, ...]
    sentence: str
    tone: Tone
    passed: int
    required: int


@dataclass(frozen=True)
class KernelError:
    """The error of the counting equation under one kernel of D, and whether training used this kernel."""

    name: str
    cell: MeasureCell
    seen: bool


@dataclass(frozen=True)
class CardView:
    """A card as its page shows it: groups of curves, and facts as (name, text)."""

    curves: list[CurveGroup]
    preprocess: list[tuple[str, str]]
    provenance: list[tuple[str, str]]
    config: list[tuple[str, str]]


def card_view(card: Card) -> CardView:
    """The card as the page of the checkpoint shows it, without measures and layers."""
    guessed = (card.measures.get("chance") or {}).items()
    chance = {f"held_out_{name}": float(cell["value"]) for name, cell in guessed}
    curves = curve_groups(_curves(card), collapsed_cost(card.config), chance)
    return CardView(
        curves=curves,
        preprocess=preprocess_words.facts(card),
        provenance=facts(card.provenance),
        config=facts(card.config),
    )


def gate_table(measures: Measures) -> GateTable:
    """The verdict of every gate on the network and on each control that was measured."""
    columns = [name for name in JUDGED if name == "network" or _is_group(measures.get(name))]
    judged = [gates.judge(measures, column) for column in columns]
    own = [result for result in judged[0] if result.gate.required]
    rows = tuple(
        GateRow(gate, tuple(_gate_cell(results[place]) for results in judged)) for place, gate in enumerate(gates.GATES)
    )
    verdicts = {result.gate.name: result.verdict for result in own}
    passed = sum(verdict == "pass" for verdict in verdicts.values())
    worst: Tone = "bad" if verdicts["adds_not_averages"] == "fail" else "warn"
    return GateTable(
        keys=tuple(columns),
        columns=tuple(COLUMNS[name] for name in columns),
        rows=rows,
        sentence=gates.sentence(judged[0]),
        tone="good" if passed == len(own) else worst,
        passed=passed,
        required=len(own),
    )


def _gate_cell(result: GateResult) -> GateCell:
    return GateCell(MeasureCell(result.value, result.interval, result.n), result.verdict, result.bar)


def measure_table(measures: Measures) -> MeasureTable | None:
    """Measures as a table, those with a label in MEASURES first; None where there are none."""
    groups = {name: group for name, group in measures.items() if name != ERRORS and _is_group(group)}
    columns = [*(name for name in COLUMNS if name in groups), *(name for name in groups if name not in COLUMNS)]
    names = dict.fromkeys(name for column in columns for name in groups[column] if _is_cell(groups[column][name]))
    ordered = [*(name for name in MEASURES if name in names), *(name for name in names if name not in MEASURES)]
    rows = tuple(
        MeasureRow(name, *_label(name), cells=tuple(measure_cell(groups[column].get(name)) for column in columns))
        for name in ordered
    )
    if not rows:
        return None
    counts = [cell.n for row in rows for cell in row.cells if cell is not None and cell.n is not None]
    return MeasureTable(
        columns=tuple(COLUMNS.get(column, _words(column)) for column in columns),
        rows=rows,
        images=mode(counts) if counts else None,
    )


def kernel_errors(card: Card, measures: Measures) -> list[KernelError]:
    """The error of the equation relative to |φ(Dx)|² for each kernel, and whether training used the kernel."""
    drawn = {name.strip() for name in str(card.config.get("kernels") or ",".join(KERNELS)).split(",")}
    return [
        KernelError(str(name), cell, str(name) in drawn)
        for name, found in (measures.get(ERRORS) or {}).items()
        if (cell := measure_cell(found if isinstance(found, Mapping) else {"value": found})) is not None
    ]


def _curves(card: Card) -> dict[str, list[tuple[int, float]]]:
    return {name: [(int(step), float(value)) for step, value in line] for name, line in card.curves.items() if line}


def facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Values as (name, text) pairs, without those that are None; a nested mapping becomes one text."""
    return [(_words(name), _text(value)) for name, value in values.items() if value is not None]


def _is_cell(value: object) -> bool:
    return isinstance(value, Mapping) and "value" in value


def _is_group(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping) and any(_is_cell(cell) for cell in value.values())


def measure_cell(value: object) -> MeasureCell | None:
    """A cell of a card's measures; None for a value that is no cell."""
    if not isinstance(value, Mapping) or "value" not in value:
        return None
    interval, figure = value.get("interval"), value["value"]
    return MeasureCell(
        value=None if figure is None else float(figure),
        interval=(float(interval[0]), float(interval[1])) if interval else None,
        n=value.get("n"),
    )


def _label(name: str) -> tuple[str, str]:
    if found := GAIN.fullmatch(name):
        than = "raw pixels" if found[2] else "random init"
        return f"20-NN of {found[1]} above {than}", "difference on the same images"
    return MEASURES.get(name, (_words(name).capitalize(), ""))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{_words(str(name))} {_text(item)}" for name, item in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(_text(item) for item in value)
    return str(value)
