"""The files of a probe: one folder a row of the table, with scores and the outcome on every image. Free of torch.

probes/<gallery>/<protocol>/<row>/ holds probe.json and outcomes.npz. A row is a checkpoint by its slug, or a control
whose name begins with an underscore.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from models import atomic
from models.paired import ScoreOf, Weights, estimated, share_right
from models.probes.average_precision import Present, mean_ap
from models.probes.protocol import Protocol
from models.search.knn_accuracy import wilson
from models.statistics import Estimate

FOLDER: Final = "probes"
RESULT: Final = "probe.json"
OUTCOMES: Final = "outcomes.npz"
FORMAT: Final = 1
CONTROL: Final = "_"
PICTURES: Final = {"pixels": "raw pixels", "colours": "colour histogram", "hog": "HOG"}

How = Literal["linear", "knn"]
HOWS: Final[tuple[How, ...]] = ("linear", "knn")


@dataclass(frozen=True)
class ProbeScore:
    """A score of one layer: the mean over seeds, its 95 % interval over images, and the spread over seeds.

    `spread` is the standard deviation over seeds; None where there is one run without randomness.
    """

    value: float
    low: float
    high: float
    n: int
    seeds: tuple[float, ...]
    spread: float | None

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> "ProbeScore":
        return cls(**{**raw, "seeds": tuple(raw["seeds"])})


@dataclass(frozen=True)
class ProbedLayer:
    """A layer that was probed: how many numbers the classifier and the neighbours were given."""

    name: str
    dims: int
    cells: int
    mean: int
    linear: ProbeScore
    knn: ProbeScore


@dataclass(frozen=True)
class Probe:
    """One row of the table. `stamp` is equal for the same images in the same roles; `chance` is the score of guessing.

    `before` and `after` are sha256 of the frozen network before and after the training of its classifiers. `seen` is
    how many test images the checkpoint was trained on (None: it does not record that).
    """

    row: str
    name: str
    checkpoint: str | None
    weights_sha256: str
    architecture: str
    gallery: str
    gallery_fingerprint: str
    stamp: str
    part: str
    side: int
    protocol: Protocol
    classes: tuple[str, ...]
    several: bool
    learned: int
    tested: int
    chance: float
    layers: tuple[ProbedLayer, ...]
    before: str
    after: str
    seen: int | None = None
    seconds: float = 0.0
    finished: str = ""
    controls: tuple[str, ...] = field(default_factory=tuple)

    @property
    def measure(self) -> str:
        return "mAP" if self.several else "top-1"

    def layer(self, name: str) -> ProbedLayer | None:
        return next((one for one in self.layers if one.name == name), None)


def write(folder: Path, probe: Probe, outcomes: Mapping[str, NDArray[Any]]) -> None:
    """Write the outcomes first, then the result, which makes the row complete."""
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **dict(outcomes))  # type: ignore[arg-type]
    atomic.write_bytes(folder / OUTCOMES, buffer.getvalue())
    atomic.write_json(folder / RESULT, {"format": FORMAT, **asdict(probe)})


def read(folder: Path) -> Probe | None:
    """The row in a folder; None where there is none, or it is damaged or of another format."""
    try:
        raw = json.loads((folder / RESULT).read_text())
        if raw.pop("format") != FORMAT:
            return None
        raw["protocol"] = Protocol.of(raw["protocol"])
        raw["classes"], raw["controls"] = tuple(raw["classes"]), tuple(raw["controls"])
        raw["layers"] = tuple(
            ProbedLayer(**{**one, "linear": ProbeScore.of(one["linear"]), "knn": ProbeScore.of(one["knn"])})
            for one in raw["layers"]
        )
        return Probe(**raw)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def read_outcomes(folder: Path) -> dict[str, NDArray[Any]]:
    """By `how/layer`: hits (S, n) or, with several classes, scores (S, n, C); and `present` (n, C). Raises OSError."""
    with np.load(folder / OUTCOMES, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def score_of(outcome: NDArray[Any], present: Present, *, several: bool) -> ScoreOf:
    """The measure as a function of how often each image counts."""
    if not several:
        return share_right(outcome)

    def score(weights: Weights) -> NDArray[np.float64]:
        return np.stack([mean_ap(one, present, weights) for one in outcome], axis=1)  # (R, S)

    return score


def summary(outcome: NDArray[Any], present: Present, *, several: bool) -> ProbeScore:
    """A score from the outcome on every image: hits (S, n), or scores (S, n, C) with several classes.

    The interval of a share is Wilson's for n images, which is a little too wide, since a mean over seeds varies less.
    That of mAP is a bootstrap over images and seeds.
    """
    n = outcome.shape[1]
    of_seed = score_of(outcome, present, several=several)(np.ones((1, n)))[0]
    value = float(of_seed.mean())
    low, high = wilson_share(value, n) if not several else _interval(bootstrapped_score(outcome, present))
    spread = float(of_seed.std(ddof=1)) if len(of_seed) > 1 else None
    return ProbeScore(value, low, high, n, tuple(float(one) for one in of_seed), spread)


def bootstrapped_score(outcome: NDArray[Any], present: Present) -> Estimate:
    """mAP with an interval over images and seeds."""
    return estimated(score_of(outcome, present, several=True), outcome.shape[1])


def wilson_share(value: float, n: int) -> tuple[float, float]:
    """Wilson's interval of a share that need not be a whole number of images."""
    low, high = wilson(value * n, n)
    return max(0.0, low), min(1.0, high)


def _interval(found: Estimate) -> tuple[float, float]:
    return found.low, found.high
