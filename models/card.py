"""A checkpoint's card: all that is needed to read it and to use its weights, without torch."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from models.atomic import write_json

CARD, WEIGHTS, STEP0, REFERENCE = "checkpoint.json", "weights.safetensors", "filters-step0.npy", "reference.npz"
REPORT = "report.json"  # of checkpoints that came from elsewhere: what became of each tensor of the file
FORMAT = 1
FILTERS_ONLY, AFTER_RELU = "filters-only", "after its ReLU"
Colour = Literal["rgb", "bgr", "gray", "lab", "l"]
CHANNELS: dict[Colour, int] = {"rgb": 3, "bgr": 3, "gray": 1, "lab": 3, "l": 1}
Floats = NDArray[np.float32]


class CheckpointChanged(ValueError):
    """The weights on disk are not the ones that were registered."""

    code = "checkpoint_changed"


class NotACheckpoint(ValueError):
    """The folder holds no readable card."""

    code = "not_a_checkpoint"


@dataclass(frozen=True)
class LayerCard:
    """A layer of a network as its card describes it, named after its conv or fc although values are taken after the
    ReLU.

    A cell (y, x) of a conv layer has its receptive field centred on `offset + stride * (x, y)` input pixels. The field
    is `receptive_field` pixels wide, None where every cell sees the whole input; vector layers have neither stride nor
    field. `kind` "conv" is any layer with a map: the tokens of a transformer are one too.

    `layout` is how `module` gives the values: channels first, as `tokens` extra ones and then a square of patches, or
    channels last. `path` is the path through the network on which the module lies; None means the trunk for maps and
    the count path for vectors. `value` describes in words what is read.
    """

    name: str
    units: int
    kind: Literal["conv", "fc", "counts"]
    module: str
    stride: int | None = None
    receptive_field: int | None = None
    offset: float | None = None
    layout: Literal["plain", "tokens", "channels_last"] = "plain"
    tokens: int = 0
    path: Literal["trunk", "count"] | None = None
    value: str = AFTER_RELU

    @property
    def on_trunk(self) -> bool:
        """Whether the encoder's own pass over an image gives the values; otherwise the count path gives them."""
        return self.path == "trunk" if self.path else self.kind == "conv"


@dataclass(frozen=True)
class Preprocess:
    """How pixels become input. `trunk_size` None: the conv trunk sees the native central square of the image.

    With `resize` the shorter side is brought to so many pixels before the middle `trunk_size` of it is taken; without,
    the middle is taken at native size. Pixels 0..1 are brought into `colour`, then multiplied by `scale` (255 for
    networks of the Caffe days; Lab has its own range: L 0..100, a and b about -100..100), then by `mean_std` each
    channel loses its mean and is divided by its deviation.
    """

    crop: int
    region: int
    size: int
    trunk_size: int | None
    normalise: Literal["per_crop", "per_input", "mean_std"]
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    resize: int | None = None
    colour: Colour = "rgb"
    scale: float = 1.0


@dataclass(frozen=True)
class Card:
    """What a checkpoint is: architecture, layers, preprocessing, where it came from and how it measured.

    `title` is what people call the architecture; `dtype` what the floating-point weights are stored as.
    """

    name: str
    architecture: str
    encoder: Mapping[str, Any]
    head: Mapping[str, Any] | None
    task: str | None
    recipe: str | None
    config: Mapping[str, Any]
    layers: tuple[LayerCard, ...]
    preprocess: Preprocess
    weights_sha256: str
    dtype: str
    provenance: Mapping[str, Any] = field(default_factory=dict)
    measures: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, list[list[float]]] = field(default_factory=dict)
    title: str | None = None

    @property
    def called(self) -> str:
        """The name by which people call the architecture."""
        return self.title or self.architecture

    @property
    def has_counts(self) -> bool:
        return any(layer.kind == "counts" for layer in self.layers)

    @property
    def filters_only(self) -> bool:
        """Whether only the filters of a first layer are known: they can be drawn, but no image can be put through the
        network.
        """
        return self.architecture == FILTERS_ONLY

    @property
    def first_layer(self) -> LayerCard:
        return self.layers[0]

    @property
    def trunk_layers(self) -> tuple[LayerCard, ...]:
        """The layers on the trunk that have a map."""
        return tuple(layer for layer in self.layers if layer.on_trunk and layer.kind == "conv")

    @property
    def probed_layers(self) -> tuple[str, ...]:
        """The layers whose values can be read for an image, in forward order: those of a head only where it counts."""
        if self.filters_only:
            return ()
        return tuple(layer.name for layer in self.layers if layer.on_trunk or self.has_counts)

    def layer(self, name: str) -> LayerCard:
        """The layer of that name. Raises KeyError with the names there are."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(f"no layer {name!r}; there are: {', '.join(layer.name for layer in self.layers)}")


def last_conv(layers: Sequence[LayerCard]) -> LayerCard | None:
    """The last of these layers whose units have a map; None where none has."""
    return next((layer for layer in reversed(layers) if layer.kind == "conv"), None)


@dataclass(frozen=True)
class Reference:
    """Held-out count vectors with which an image is compared: `whole` phi(Dx) and `total` sum_j phi(T_j x), both (n,
    K).
    """

    whole: Floats
    total: Floats


def write_card(folder: Path, card: Card) -> None:
    write_json(folder / CARD, {"format": FORMAT, **asdict(card)})


def read_card(folder: Path) -> Card:
    """The card in `folder`. Raises NotACheckpoint."""
    try:
        raw = json.loads((folder / CARD).read_text())
        if raw.pop("format") != FORMAT:
            raise NotACheckpoint("this card was written by another version of Tessera")
        raw["layers"] = tuple(LayerCard(**layer) for layer in raw["layers"])
        raw["preprocess"] = preprocess_of(raw["preprocess"])
        return Card(**raw)
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, NotACheckpoint):
            raise
        raise NotACheckpoint(f"no readable {CARD}: {type(error).__name__}") from error


def preprocess_of(raw: Mapping[str, Any]) -> Preprocess:
    """What a card's JSON says of the preprocessing. Raises KeyError, TypeError."""
    return Preprocess(**{**raw, "mean": tuple(raw["mean"]), "std": tuple(raw["std"])})


def file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify_weights(folder: Path, card: Card) -> None:
    """Raises CheckpointChanged unless the weights are, byte for byte, those that the card was written for."""
    if file_sha256(folder / WEIGHTS) != card.weights_sha256:
        raise CheckpointChanged(f"the weights of {card.name} are not the ones that were registered")


def first_layer_filters(folder: Path) -> Floats:
    """The weights of the first convolution (units, channels, h, w); nothing else is read."""
    card = read_card(folder)
    with safe_open(folder / WEIGHTS, framework="numpy") as tensors:
        return np.asarray(tensors.get_tensor(f"encoder.{card.first_layer.name}.weight"), dtype=np.float32)


def read_report(folder: Path) -> dict[str, Any] | None:
    """What became of the tensors of a foreign file from which a checkpoint was made; None for those trained here."""
    try:
        found: dict[str, Any] = json.loads((folder / REPORT).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found


def step0_filters(folder: Path) -> Floats | None:
    """The same filters before the first step of training, where the run kept them."""
    path = folder / STEP0
    return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32) if path.exists() else None


def read_reference(folder: Path) -> Reference | None:
    path = folder / REFERENCE
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        return Reference(arrays["whole"].astype(np.float32), arrays["total"].astype(np.float32))
