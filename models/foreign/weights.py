"""What a foreign file of weights holds, as plain values: formats, candidates, tensors. No torch, no file access."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

FLOATS = ("float32", "float16", "bfloat16", "float64")


class UnreadableWeights(ValueError):
    """A file that is refused; `code` is for programs, the message says what to do instead, `detail` is plain JSON."""

    def __init__(self, code: str, message: str, detail: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class TensorInfo:
    """One tensor: `dtype` as torch and numpy name it ("float32", "bfloat16", "int64").

    `finite` is None for integers, `bad` the number of NaN and infinite values; `low`, `high` and `std` are those of the
    finite values, None where there are none. `constant` is true where all values are one and the same.
    """

    shape: tuple[int, ...]
    dtype: str
    finite: bool | None = None
    constant: bool = False
    low: float | None = None
    high: float | None = None
    std: float | None = None
    bad: int = 0

    @property
    def size(self) -> int:
        """The number of elements."""
        product = 1
        for length in self.shape:
            product *= length
        return product


@dataclass(frozen=True)
class WeightsCandidate:
    """One set of weights in a file: student or teacher, the query encoder of MoCo, a flat state_dict.

    `name` is its place in the file ("state_dict", "teacher", "state_dict/encoder_q"; "weights" for a flat file) and is
    what `read_tensors` is given. `tensors` are under the file's own names without `prefix` ("module.encoder_q.") and
    without the wrappers of `inner` ("features.module." became "features."). `beside` are the tensors of the same dict
    that lie outside the prefix, under their names without what all of them share: heads, queues, decoders.
    """

    name: str
    prefix: str
    tensors: Mapping[str, TensorInfo]
    inner: tuple[str, ...] = ()
    beside: Mapping[str, TensorInfo] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """The number of floating-point values."""
        return sum(tensor.size for tensor in self.tensors.values() if tensor.dtype in FLOATS)


@dataclass(frozen=True)
class Inspection:
    """What was found in a file; `metadata` is what it says beside tensors (epoch, arch, layers of a Caffe net)."""

    format: str
    sha256: str
    bytes: int
    candidates: tuple[WeightsCandidate, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def plausible(self) -> tuple[WeightsCandidate, ...]:
        """The candidates a user may mean: those with filters of four axes, all where none has any."""
        filters = tuple(it for it in self.candidates if any(len(info.shape) == 4 for info in it.tensors.values()))
        return filters or self.candidates

    def candidate(self, name: str) -> WeightsCandidate:
        """The candidate of that name. Raises KeyError with the names there are."""
        for candidate in self.candidates:
            if candidate.name == name:
                return candidate
        raise KeyError(f"no weights {name!r} in this file; there are: {', '.join(it.name for it in self.candidates)}")

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, which `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Inspection":
        """The inspection that `as_json` wrote."""
        return cls(
            format=value["format"],
            sha256=value["sha256"],
            bytes=value["bytes"],
            candidates=tuple(_candidate(item) for item in value["candidates"]),
            metadata=value["metadata"],
            warnings=tuple(value["warnings"]),
        )


def _candidate(value: Mapping[str, Any]) -> WeightsCandidate:
    return WeightsCandidate(
        name=value["name"],
        prefix=value["prefix"],
        tensors=_tensors(value["tensors"]),
        inner=tuple(value["inner"]),
        beside=_tensors(value["beside"]),
    )


def _tensors(value: Mapping[str, Mapping[str, Any]]) -> dict[str, TensorInfo]:
    return {key: TensorInfo(**{**info, "shape": tuple(info["shape"])}) for key, info in value.items()}
