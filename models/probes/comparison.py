"""Two rows of a table on the same images: by how much the first scores higher, layer by layer. Free of torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.paired import McNemar, difference, mcnemar
from models.probes.results import HOWS, How, Probe, read_outcomes, score_of
from models.statistics import Estimate

Outcomes = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Difference:
    """One layer of each by one way of measuring, on `n` images.

    `test` is McNemar's where both are a single run of right and wrong.
    """

    how: How
    first: str
    second: str
    estimate: Estimate
    n: int
    test: McNemar | None

    @property
    def beyond_chance(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.estimate.sign != 0


@dataclass(frozen=True)
class Differences:
    """First minus second: each shared layer, or each layer against the other's only one; then the best layers."""

    first: Probe
    second: Probe
    lines: tuple[Difference, ...]
    best: Mapping[How, Difference]

    @property
    def same_backbone(self) -> bool:
        """Whether both are the same architecture, or one of them none at all."""
        kinds = {self.first.architecture, self.second.architecture}
        return len(kinds) == 1 or "none" in kinds


def compare(first_folder: Path, first: Probe, second_folder: Path, second: Probe) -> Differences:
    """From the outcomes in both folders, which must be of the same images. Raises OSError."""
    one, two = read_outcomes(first_folder), read_outcomes(second_folder)
    pairs = _pairs(first, second)
    lines = tuple(_difference(how, a, b, one, two, first.several) for how in HOWS for a, b in pairs)
    best = {
        how: _difference(how, _best(first, how), _best(second, how), one, two, first.several)
        for how in HOWS
        if first.layers and second.layers
    }
    return Differences(first, second, lines, best)


def _pairs(first: Probe, second: Probe) -> list[tuple[str, str]]:
    """Layers of one name, in forward order; where one has a single layer, that against each of the other's."""
    mine, other = ([layer.name for layer in probe.layers] for probe in (first, second))
    if shared := [name for name in mine if name in other]:
        return [(name, name) for name in shared]
    if len(mine) == 1:
        return [(mine[0], name) for name in other]
    return [(name, other[0]) for name in mine] if len(other) == 1 else []


def _best(probe: Probe, how: How) -> str:
    return max(probe.layers, key=lambda layer: getattr(layer, how).value).name


def _difference(how: How, a: str, b: str, one: Outcomes, two: Outcomes, several: bool) -> Difference:
    mine, other, present = one[f"{how}/{a}"], two[f"{how}/{b}"], one["present"]
    first, second = (score_of(outcome, present, several=several) for outcome in (mine, other))
    found = difference(first, second, len(present), count=200 if several else 1000)
    single = not several and len(mine) == len(other) == 1
    test = mcnemar(np.asarray(mine[0], dtype=bool), np.asarray(other[0], dtype=bool)) if single else None
    return Difference(how, a, b, found, len(present), test)
