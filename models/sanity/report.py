"""The file that a sanity check writes: one JSON file a gallery, in the folder of its checkpoint. Free of torch."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from models.atomic import write_json
from models.card import Preprocess, preprocess_of

FOLDER: Final = "sanity"
FORMAT: Final = 1
ENOUGH: Final = 300  # labelled images below which nothing is concluded
DEAD: Final = 0.5  # share of units that never change above which a layer is flagged
LARGEST: Final = 1e5  # activations beyond it are flagged

Verdict = Literal["good", "bad", "unknown"]


@dataclass(frozen=True)
class Share:
    """A share or a difference of two with its 95 % interval, over n images."""

    value: float
    low: float
    high: float
    n: int

    @property
    def error(self) -> float:
        """The standard error: the interval has 1.96 of it on each side."""
        return (self.high - self.low) / 3.92


@dataclass(frozen=True)
class LayerRange:
    """The values of a layer over all images: the share of units that never change, and how large values get."""

    name: str
    units: int
    dead: float
    mean: float
    largest: float
    not_finite: int

    @property
    def flag(self) -> str:
        """The fault of this layer in a word; empty where it has none."""
        if self.not_finite:
            return "not finite"
        if self.largest > LARGEST:
            return "exploding"
        return "dead" if self.dead > DEAD else ""


@dataclass(frozen=True)
class Variant:
    """One way to prepare images: 20-NN accuracy on the half that chooses (`first`), and on the other (`second`).

    `untrained` and `gain` are those of the same architecture untrained, prepared alike, on the other half; None where
    the gallery has no labels. `seconds` is what both networks took.
    """

    name: str
    reason: str
    preprocess: Preprocess
    first: Share | None
    second: Share | None
    untrained: Share | None
    gain: Share | None
    seconds: float


@dataclass(frozen=True)
class Sanity:
    """`compared` is how many of the images all preparations were shown: as many as fit for the slowest.

    `variants` begin with the checkpoint's own; `best` is the place of the one that the first half chose.

    `own` and `own_untrained` are over all labelled images, and `gain` is their paired difference, on which the verdict
    rests; `better` is the gain of the best over the checkpoint's own on the second half.
    """

    checkpoint: str
    gallery: str
    weights_sha256: str
    gallery_fingerprint: str
    images: int
    compared: int
    labelled: int
    classes: int
    confounded: bool
    neighbours: int
    layer: str
    variants: tuple[Variant, ...]
    best: int
    own: Share | None
    own_untrained: Share | None
    gain: Share | None
    better: Share | None
    layers: tuple[LayerRange, ...]
    untrained_layers: tuple[LayerRange, ...]
    smoothness: float | None
    untrained_smoothness: float | None
    noise: float | None
    seed: int = 0
    finished: str = ""

    @property
    def verdict(self) -> Verdict:
        """The verdict: bad only where the interval excludes a gain over the untrained network."""
        if self.why_unknown or self.gain is None:
            return "unknown"
        if self.gain.low > 0:
            return "good"
        return "bad" if self.gain.high < 0 else "unknown"

    @property
    def why_unknown(self) -> str:
        """Why nothing can be concluded whatever the numbers are; empty where something can."""
        if not self.labelled or self.gain is None:
            return "the gallery has no labels of at least two classes"
        if self.labelled < ENOUGH:
            return f"{self.labelled} labelled images are fewer than the {ENOUGH} that a verdict needs"
        if self.confounded:
            return "its classes come from different sources, so that neighbours may share a source instead of a class"
        return ""

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.verdict == "unknown":
            why = self.why_unknown or "the interval of the difference to the untrained network includes none at all"
            return f"Cannot tell: {why}."
        assert self.gain is not None
        points, low, high = (100 * value for value in (self.gain.value, self.gain.low, self.gain.high))
        how = f"{points:+.1f} points ({low:+.1f} to {high:+.1f}) against the same network untrained"
        if self.verdict == "good":
            return f"The features make sense: 20-NN accuracy {how}."
        return f"The features are worse than none: 20-NN accuracy {how}. Suspect the preprocessing first."

    @property
    def advice(self) -> str:
        """What the comparison of preparations shows, as a sentence."""
        chosen = self.variants[self.best]
        if chosen.first is None:
            return "Without labels the preparations cannot be compared."
        if self.best == 0:
            return "None of the alternatives did better on the half that chooses."
        if self.better is not None and self.better.low > 0:
            gain = (
                f"{100 * self.better.value:+.1f} points ({100 * self.better.low:+.1f} to {100 * self.better.high:+.1f})"
            )
            return f"{chosen.name} is better than the present preparation on images that did not choose it: {gain}."
        return f"{chosen.name} did best on the half that chooses; on the other half the difference may be chance."


def place(folder: Path, gallery: str) -> Path:
    """Where the check on a gallery lies in a checkpoint's folder."""
    return folder / FOLDER / f"{gallery}.json"


def write(path: Path, found: Sanity) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"format": FORMAT, **asdict(found)})


def read(path: Path) -> Sanity | None:
    """The check in a file; None where it is damaged or of another format."""
    try:
        raw = json.loads(path.read_text("utf-8"))
        return _sanity(raw) if raw.pop("format") == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def read_all(folder: Path) -> Iterator[Sanity]:
    """Those of a checkpoint's folder, by gallery."""
    for path in sorted((folder / FOLDER).glob("*.json")):
        if (found := read(path)) is not None:
            yield found


def _sanity(raw: Mapping[str, Any]) -> Sanity:
    shares = {name: _share(raw[name]) for name in ("own", "own_untrained", "gain", "better")}
    layers = {name: tuple(LayerRange(**it) for it in raw[name]) for name in ("layers", "untrained_layers")}
    return Sanity(**{**raw, **shares, **layers, "variants": tuple(_variant(it) for it in raw["variants"])})


def _variant(raw: Mapping[str, Any]) -> Variant:
    shares = {name: _share(raw[name]) for name in ("first", "second", "untrained", "gain")}
    return Variant(**{**raw, **shares, "preprocess": preprocess_of(raw["preprocess"])})


def _share(raw: Mapping[str, Any] | None) -> Share | None:
    return None if raw is None else Share(**raw)
