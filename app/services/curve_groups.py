"""Curves as people look at them: what shares an axis, and without a start that would flatten the rest."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from app.jobs.curves import Points

NAMES = {"lr": "learning rate"}
LONG, WARM_UP = 100, 0.02  # steps of a run that counts as long; the share of it that may be left out of a chart


@dataclass(frozen=True)
class CurveGroup:
    """Curves that share an axis."""

    title: str
    series: Mapping[str, Points]


def curve_groups(series: Mapping[str, Points]) -> list[CurveGroup]:
    """A loss and its terms on one axis, the learning rate and whatever has no loss beside it on their own."""
    named = {NAMES.get(name, name.replace("_", " ")): points for name, points in series.items()}
    together = {name: points for name, points in named.items() if name != NAMES["lr"]} if "loss" in named else {}
    groups = [_settled("Loss and its terms", together)] if together else []
    alone = (CurveGroup(name.capitalize(), {name: line}) for name, line in named.items() if name not in together)
    return [*groups, *alone]


def _settled(title: str, series: Mapping[str, Points]) -> CurveGroup:
    """Without the first steps of a long run where they dwarf all others: else the rest would be a flat line."""
    last = max(line[-1][0] for line in series.values())
    begin = last * WARM_UP
    early = [value for line in series.values() for step, value in line if step < begin]
    later = [value for line in series.values() for step, value in line if step >= begin]
    if last < LONG or not early or max(early) < 2 * max(later):
        return CurveGroup(title, series)
    shown = {name: [point for point in line if point[0] >= begin] for name, line in series.items()}
    return CurveGroup(f"{title}, from step {math.ceil(begin)}", shown)
