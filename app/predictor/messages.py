"""What goes over the pipe between the server and the predictor. No torch on either side."""

from dataclasses import dataclass
from typing import Literal

from models.answers import CountAnswer, CurvePoint, EmbedAnswer, HeatMap
from models.geometry import Box
from models.puzzles import Pose, Posed

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class NetworkRef:
    """Which weights to answer with: where they lie, what they must be, and the precision to compute in."""

    folder: str
    sha256: str
    precision: Precision = "fp32"


@dataclass(frozen=True)
class EmbedRequest:
    """The pooled vector of a layer, of the whole image or of a box in its pixels."""

    network: NetworkRef
    jpeg: bytes
    layer: str
    box: Box | None = None


@dataclass(frozen=True)
class CountRequest:
    """The counting equation of the crop (or of a box)."""

    network: NetworkRef
    jpeg: bytes
    kernel: str
    box: Box | None = None


@dataclass(frozen=True)
class HeatmapRequest:
    """One unit's map over the image."""

    network: NetworkRef
    jpeg: bytes
    layer: str
    unit: int


@dataclass(frozen=True)
class CurveRequest:
    """The magnitude of phi over nested, centred crops that cover these shares of the central square's area."""

    network: NetworkRef
    jpeg: bytes
    areas: tuple[float, ...]
    kernel: str


@dataclass(frozen=True)
class PoseRequest:
    """A puzzle of the first image, the others lending pieces; without a network nobody answers it."""

    network: NetworkRef | None
    task: str
    jpegs: tuple[bytes, ...]
    how: Pose


Request = EmbedRequest | CountRequest | HeatmapRequest | CurveRequest | PoseRequest
Answer = EmbedAnswer | CountAnswer | HeatMap | tuple[CurvePoint, ...] | Posed


@dataclass(frozen=True)
class Numbered:
    """A request on its way; its answer carries the same number."""

    number: int
    request: Request


@dataclass(frozen=True)
class Failure:
    """Why there is no answer. `kind` decides what the client raises; `internal` is a defect, told to the log only."""

    kind: Literal["bad_query", "changed", "busy", "internal"]
    code: str
    message: str


@dataclass(frozen=True)
class Reply:
    """The answer to the request of that number."""

    number: int
    result: Answer | Failure


@dataclass(frozen=True)
class Ready:
    """The predictor has imported torch and chosen its device."""

    device: str
    threads: int
