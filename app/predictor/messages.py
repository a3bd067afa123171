"""The messages between the server and the predictor; none of them needs torch."""

from dataclasses import dataclass
from typing import Literal

from models.answers import CountAnswer, CurvePoint, EmbedAnswer, HeatMap
from models.geometry import Box
from models.puzzles import Pose, Posed

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class NetworkRef:
    """A network to ask: the checkpoint's folder, the SHA-256 that its weights must have, and the precision."""

    folder: str
    sha256: str
    precision: Precision = "fp32"


@dataclass(frozen=True)
class EmbedRequest:
    """Asks for the pooled vector of a layer, of the whole image or of a box in pixels."""

    network: NetworkRef
    jpeg: bytes
    layer: str
    box: Box | None = None


@dataclass(frozen=True)
class CountRequest:
    """Asks for both sides of the counting equation, of the central crop or of a box in pixels."""

    network: NetworkRef
    jpeg: bytes
    kernel: str
    box: Box | None = None


@dataclass(frozen=True)
class HeatmapRequest:
    """Asks for one unit's map over the image."""

    network: NetworkRef
    jpeg: bytes
    layer: str
    unit: int


@dataclass(frozen=True)
class CurveRequest:
    """Asks for the norm of phi on nested, centred crops that cover these shares of the central square's area."""

    network: NetworkRef
    jpeg: bytes
    areas: tuple[float, ...]
    kernel: str


@dataclass(frozen=True)
class PoseRequest:
    """Asks for a puzzle of the first image, which may use pieces of the others, and for the network's answer to it."""

    network: NetworkRef | None
    task: str
    jpegs: tuple[bytes, ...]
    how: Pose


Request = EmbedRequest | CountRequest | HeatmapRequest | CurveRequest | PoseRequest
Answer = EmbedAnswer | CountAnswer | HeatMap | tuple[CurvePoint, ...] | Posed


@dataclass(frozen=True)
class Numbered:
    """A request with its number, which its reply repeats."""

    number: int
    request: Request


@dataclass(frozen=True)
class Failure:
    """Why there is no answer.

    `kind` decides which error the client raises; `internal` is a defect of the program, whose details are only logged.
    """

    kind: Literal["bad_query", "changed", "busy", "internal"]
    code: str
    message: str


@dataclass(frozen=True)
class Reply:
    """The answer to the request with this number."""

    number: int
    result: Answer | Failure


@dataclass(frozen=True)
class Ready:
    """Says that the predictor has imported torch and can answer."""

    device: str
    threads: int
