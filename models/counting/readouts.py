"""Named counts read out of a count vector: a non-negative linear map, how well it does, and its file. Free of torch.

The weights are non-negative, so that an absent thing is read as none and no unit counts against another.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.atomic import write_json
from models.countables.truth import count
from models.galleries.packs import Pack
from models.geometry import Box
from models.statistics import bootstrapped

FOLDER: Final = "readouts"
FORMAT: Final = 1
LEAST_FIT, LEAST_TEST = 8, 8
Doubles = NDArray[np.float64]


class NothingNamed(ValueError):
    """Too few images have named counts; the message says how many."""

    code = "nothing_named"


@dataclass(frozen=True)
class Readout:
    """The map of one checkpoint on one gallery: `weights[name][unit]`, without zeros, and R2 on `tested` held-out
    scenes.

    `r2` holds cells by predictor (network, mean, area, edge_energy) and by name, and under `all` their mean.
    """

    checkpoint: str
    gallery: str
    weights_sha256: str
    gallery_fingerprint: str
    names: tuple[str, ...]
    weights: Mapping[str, Mapping[str, float]]
    fitted: int
    tested: int
    seed: int
    r2: Mapping[str, Mapping[str, Any]]

    def read(self, counts: NDArray[np.float32] | Doubles) -> dict[str, float]:
        """The named counts of a count vector (K,)."""
        return {
            name: float(sum(weight * float(counts[int(unit)]) for unit, weight in self.weights[name].items()))
            for name in self.names
        }


def named_counts(pack: Pack, row: int, box: Box) -> dict[str, float] | None:
    """The known contents of a box of an image, by name; None where nobody counted.

    These are things by the share of them that is visible there, or else the counts that a manifest gave for the whole
    image.
    """
    truth = pack.truth(row)
    if truth is not None:
        return {kind: float(share) for kind, share in count(truth, box).fractional.items()}
    counts = pack.row(row).counts
    return None if counts is None else {name: float(number) for name, number in counts.items()}


def table(found: Sequence[Mapping[str, float]]) -> tuple[Doubles, tuple[str, ...]]:
    """Named counts of n images as (n, C), names in alphabetical order; a name that an image lacks counts as 0."""
    names = tuple(sorted({name for counts in found for name in counts}))
    return np.array([[counts.get(name, 0.0) for name in names] for counts in found]).reshape(len(found), -1), names


def r2(predicted: Doubles, known: Doubles) -> Doubles:
    """1 - residual over total variance of each name, (n, C) -> (C,); 0 is what the mean of these very images gives.

    NaN where a count never varies.
    """
    left, spread = np.square(known - predicted).sum(axis=0), np.square(known - known.mean(axis=0)).sum(axis=0)
    return np.where(spread > 0, 1 - left / np.where(spread > 0, spread, 1), np.nan)


def cells(predicted: Doubles, known: Doubles, names: Sequence[str], seed: int) -> dict[str, Any]:
    """R2 with its 95 % interval over images, of each name and, as `all`, of their mean."""

    def of(column: int | None, rows: NDArray[np.int64]) -> float | None:
        found = r2(predicted[rows], known[rows])
        chosen = found if column is None else found[[column]]
        chosen = chosen[np.isfinite(chosen)]
        return float(chosen.mean()) if len(chosen) else None

    columns: dict[str, int | None] = {**{name: c for c, name in enumerate(names)}, "all": None}
    return {name: bootstrapped(partial(of, column), len(known), seed=seed) for name, column in columns.items()}


def sparse(weights: Doubles, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """The weights above zero, by name and unit."""
    return {
        name: {str(unit): float(weights[c, unit]) for unit in np.flatnonzero(weights[c] > 0)}
        for c, name in enumerate(names)
    }


def place(folder: Path, gallery: str) -> Path:
    """Where the readout on a gallery lies in a checkpoint's folder."""
    return folder / FOLDER / f"{gallery}.json"


def write(path: Path, readout: Readout) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"format": FORMAT, **asdict(readout)})


def read(path: Path) -> Readout | None:
    """The readout in a file; None where there is none, or it is damaged or of another format."""
    try:
        raw = json.loads(path.read_text())
        if raw.pop("format") != FORMAT:
            return None
        return Readout(**{**raw, "names": tuple(raw["names"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
