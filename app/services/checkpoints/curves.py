"""Groups the curves of a training for charts: which curves share an axis, and which levels to compare them with."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.jobs.curves import Points

NAMES = {
    "lr": "learning rate",
    "tiles_add_up": "pull",
    "others_differ": "push",
    "held_out_pull": "pull, held out",
    "held_out_push": "push, held out",
    "held_out_loss": "loss, held out",
    "held_out_loss_of_prior": "loss of the prior, held out",
    "held_out_accuracy": "accuracy, held out",
    "held_out_gain_over_prior": "loss below the prior's, held out",
    "colours_told": "colours told",
    "lightness_told": "lightness told",
    **{
        f"held_out_{side}_{name}": f"{words} of {side}, held out"
        for side in ("colours", "lightness")
        for name, words in (("loss", "loss"), ("loss_of_prior", "loss of the prior"), ("accuracy", "accuracy"))
    },
    "held_out_colour_error": "colour error, held out",
    "held_out_colour_error_of_gray": "colour error of gray, held out",
    "held_out_saturation": "saturation, held out",
    "held_out_hole_error": "squared error in the hole, held out",
    "held_out_hole_error_of_border": "squared error of the border's mean colour, held out",
    "held_out_gain_over_border": "squared error below that of the border's mean colour, held out",
    "held_out_psnr": "PSNR in the hole, held out",
    "held_out_psnr_of_border": "PSNR of the border's mean colour, held out",
    "cross_entropy": "cross-entropy",
    "annotation": "error of the named counts",
    "additivity_ratio": "additivity ratio",
    "r2_adding": "R² of adding",
    "r2_averaging": "R² of averaging",
    "firing_units": "active units",
    "conv1_tv_ratio": "TV ratio of the first filters",
}
TERMS = ("tiles_add_up", "others_differ", "held_out_pull", "held_out_push")
LOSSES = ("loss", "held_out_loss", "held_out_loss_of_prior")
FITS = ("r2_adding", "r2_averaging")
COLLAPSED = "collapsed: counts nothing"
GUESSING = "guessing"
LEVELS: Mapping[str, Mapping[str, float]] = {
    "additivity_ratio": {"adds": 1.0, "averages": 0.25},
    "conv1_tv_ratio": {"noise": 1.414, "smooth": 1.1},
}
NOTES = {
    "additivity_ratio": "held-out images: total of φ(Dx) over the total of the tiles",
    "firing_units": "units that fire on more than 5 % of the held-out images",
    "conv1_tv_ratio": "median filter; differences of neighbours over deviations from the mean",
}
LEAST = 0.001  # the bottom of the logarithmic axis, so that a 0 can be drawn
LONG, WARM_UP = 100, 0.02  # a run of so many steps is long; so large a share of its start may be left out of a chart


@dataclass(frozen=True)
class CurveGroup:
    """Curves that share an axis.

    `levels` are horizontal lines to compare with, by name. The axis is logarithmic where `log`, and ends at `low` and
    `high` where they are given.
    """

    title: str
    series: Mapping[str, Points]
    log: bool = False
    levels: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    low: float | None = None
    high: float | None = None


def collapsed_cost(config: Mapping[str, Any]) -> float | None:
    """The loss of a network that counts nothing, by the settings of a counting task; None for another task."""
    if "margin" not in config or "units" not in config:
        return None
    return float(config["margin"]) * (int(config["units"]) if config.get("hinge") == "unit" else 1)


def curve_groups(
    series: Mapping[str, Points], collapsed: float | None = None, chance: Mapping[str, float] | None = None
) -> list[CurveGroup]:
    """The curves in groups: the two terms of a counting loss, the losses, then the others one by one.

    `collapsed` is the loss of a network that counts nothing; `chance` has the level of guessing by name of the curve.
    """
    guessed = {name: {f"{GUESSING} ({value:.3g})": value} for name, value in (chance or {}).items()}
    line = {COLLAPSED + f" ({collapsed:.3f})": collapsed} if collapsed else {}
    groups = []
    if terms := _named(series, TERMS):
        note = f"what lies below {LEAST} is drawn there; the push is 0 where every pair differs by the margin"
        groups.append(CurveGroup("Pull and push", terms, log=True, levels=line, note=note, low=LEAST))
    if losses := _named(series, LOSSES):
        groups.append(_settled(CurveGroup("Loss", losses, levels={**line, **guessed.get("held_out_loss", {})})))
    together = {*TERMS, *LOSSES, *FITS}
    for name, points in sorted(series.items(), key=lambda item: item[0] == "lr"):  # the learning rate last
        if name == "r2_adding":
            note = "how much of φ(Dx) the sum of the tiles explains, and a quarter of it; below −1 is drawn at −1"
            fits = _named(series, FITS)
            groups.append(
                CurveGroup("R², held out", fits, levels={"explains nothing": 0.0}, note=note, low=-1.0, high=1.0)
            )
        elif name not in together:
            shown = NAMES.get(name, name.replace("_", " "))
            title = shown[:1].upper() + shown[1:]
            levels = LEVELS.get(name) or guessed.get(name, {})
            groups.append(CurveGroup(title, {shown: points}, levels=levels, note=NOTES.get(name, "")))
    return groups


def _named(series: Mapping[str, Points], names: tuple[str, ...]) -> dict[str, Points]:
    return {NAMES.get(name, name): series[name] for name in names if series.get(name)}


def _settled(group: CurveGroup) -> CurveGroup:
    """The group without the first steps of a long run where their values are so large that the rest would look flat."""
    lines = group.series.values()
    last = max(line[-1][0] for line in lines)
    begin = last * WARM_UP
    early = [value for line in lines for step, value in line if step < begin]
    later = [value for line in lines for step, value in line if step >= begin]
    if last < LONG or not early or max(early) < 2 * max(later):
        return group
    shown = {name: [point for point in line if point[0] >= begin] for name, line in group.series.items()}
    return CurveGroup(f"{group.title}, from step {math.ceil(begin)}", shown, levels=group.levels)
