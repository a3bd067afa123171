"""A checkpoint's card as the page shows it: measures beside their controls, curves in groups, facts in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import mode
from typing import Any

from app.services.curve_groups import CurveGroup, curve_groups
from models.card import Card

COLUMNS = {
    "network": "this checkpoint",
    "random_init": "random init",
    "averager": "averager",
    "constant": "constant",
    "raw_pixels": "raw pixels",
}
MEASURES = {
    "loss": ("Loss", "10 is a collapsed network"),
    "pull": ("Squared error of the equation", "mean |φ(Dx) − Σφ(Tⱼx)|²"),
    "additivity_ratio": ("Additivity ratio", "total of φ(Dx) over total of the tiles: adding gives 1, averaging 0.25"),
    "r2_adding": ("R² of adding", "share of the variance of φ(Dx) that the sum of the tiles explains"),
    "r2_averaging": ("R² of averaging", "the same for a quarter of that sum"),
    "matched_to_mismatched": ("Matched / mismatched error", "0 is perfect, 1 tells no image from another"),
    "matched_to_norm_matched": ("The same, at similar norm", "adding gives 0, averaging 0.53"),
    "growth_exponent": ("Growth exponent", "β in |φ| ~ area^β: adding gives 1, averaging 0"),
    "active_units": ("Active units", "mean above a thousandth of the largest mean"),
    "firing_units": ("Units on more than 5 % of the images", ""),
    "participation_ratio": ("Participation ratio", "effective number of units"),
    "mirror_rank": ("Mirror rank correlation", "of |φ| of the images and of their mirrors"),
    "magnitude_and_intensity": ("|φ| and mean intensity", "correlation; a light meter has 1"),
    "magnitude_and_contrast": ("|φ| and RMS contrast", "correlation"),
    "top8_over_mean": ("Top 8 over the mean", "median active unit; n counts units"),
    "top8_overlap": ("Overlap of top 8", "median Jaccard index of two active units; n counts units"),
    "crop_curve_high": ("Crop curve, high set", "Spearman of area and mean |φ| over 10 bins, the 100 that count most"),
    "crop_curve_low": ("Crop curve, low set", "the same for the 100 that count least"),
    "crop_slope_high": ("Crop slope, high set", "mean |φ| per unit of area"),
    "crop_slope_low": ("Crop slope, low set", "the same for the 100 that count least"),
    "knn20_counts": ("20-NN accuracy, count vector", "classes of labelled photos; raw pixels are 16 x 16"),
    "knn20_conv5": ("20-NN accuracy, conv5", "classes of labelled photos, conv5 averaged over space"),
    "precision5_counts": ("Precision at 5, count vector", "share of the five nearest photos that have the same class"),
    "precision5_conv5": ("Precision at 5, conv5", "the same in conv5, averaged over space"),
    "conv1_tv_ratio": ("First filters: median TV ratio", "noise has 1.41, smooth filters are below 1.1"),
}
KERNELS = "relative_error_by_kernel"


@dataclass(frozen=True)
class MeasureCell:
    """A measured value with its 95 % interval and the number of images, each where there is one."""

    value: float | None
    interval: tuple[float, float] | None
    n: int | None


@dataclass(frozen=True)
class MeasureRow:
    """One measure in every column that has it."""

    name: str
    label: str
    help: str
    cells: tuple[MeasureCell | None, ...]


@dataclass(frozen=True)
class MeasureTable:
    """Measures of a checkpoint beside those of its controls."""

    columns: tuple[str, ...]
    rows: tuple[MeasureRow, ...]
    images: int | None


@dataclass(frozen=True)
class CardView:
    """A card in the shape of its page."""

    measures: MeasureTable | None
    kernels: list[tuple[str, float]]
    curves: list[CurveGroup]
    provenance: list[tuple[str, str]]
    config: list[tuple[str, str]]


def card_view(card: Card) -> CardView:
    """All that the page of a checkpoint shows beside its layers."""
    return CardView(
        measures=measure_table(card),
        kernels=kernel_errors(card),
        curves=curve_groups(_curves(card)),
        provenance=facts(card.provenance),
        config=facts(card.config),
    )


def measure_table(card: Card) -> MeasureTable | None:
    """The card's measures as a table, known ones first; None where there are none."""
    groups = {name: group for name, group in card.measures.items() if _is_group(group)}
    columns = [*(name for name in COLUMNS if name in groups), *(name for name in groups if name not in COLUMNS)]
    names = dict.fromkeys(name for column in columns for name in groups[column] if _is_cell(groups[column][name]))
    ordered = [*(name for name in MEASURES if name in names), *(name for name in names if name not in MEASURES)]
    rows = tuple(
        MeasureRow(name, *_label(name), cells=tuple(_cell(groups[column].get(name)) for column in columns))
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


def kernel_errors(card: Card) -> list[tuple[str, float]]:
    """The equation's error relative to |φ(Dx)|², for each kernel that D may use."""
    errors = card.measures.get(KERNELS)
    return [(str(name), float(value)) for name, value in errors.items() if value is not None] if errors else []


def _curves(card: Card) -> dict[str, list[tuple[int, float]]]:
    return {name: [(int(step), float(value)) for step, value in line] for name, line in card.curves.items() if line}


def facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Plain values as (name, text) pairs; nested mappings as `name: value` lists."""
    return [(_words(name), _text(value)) for name, value in values.items() if value is not None]


def _is_cell(value: object) -> bool:
    return isinstance(value, Mapping) and "value" in value


def _is_group(value: object) -> bool:
    return isinstance(value, Mapping) and any(_is_cell(cell) for cell in value.values())


def _cell(value: object) -> MeasureCell | None:
    if not isinstance(value, Mapping) or "value" not in value:
        return None
    interval, figure = value.get("interval"), value["value"]
    return MeasureCell(
        value=None if figure is None else float(figure),
        interval=(float(interval[0]), float(interval[1])) if interval else None,
        n=value.get("n"),
    )


def _label(name: str) -> tuple[str, str]:
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
