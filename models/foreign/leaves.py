"""The tensors inside a file: which kinds are taken, what they claim, and how their values are spread."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from models.foreign.stand_ins import Array
from models.foreign.weights import TensorInfo, UnreadableWeights

CHUNK: Final = 1 << 22  # elements that are measured at once
TAKEN: Final = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
COUNTERS: Final = (torch.int64, torch.int32, torch.bool, torch.uint8, torch.int16, torch.int8)


def as_tensor(value: Any) -> Tensor:
    """The leaf as a tensor, sharing memory where it can."""
    if isinstance(value, Tensor):
        return value.detach()
    array = value.values if isinstance(value, Array) else value
    if array is None:
        raise UnreadableWeights("not_a_checkpoint", "An array of this file has no values.")
    ours = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return torch.from_numpy(ours if ours.flags.writeable else ours.copy())


def check_claim(key: str, tensor: Tensor) -> int:
    """The bytes a tensor's elements take. Raises UnreadableWeights where it claims more than is stored, or has no data.

    Nothing of the data is touched: one stored number can be expanded to any shape.
    """
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested:
        raise UnreadableWeights(
            "unsupported_dtype", f"`{key[:200]}` is sparse, nested or quantised. Save dense floating-point weights."
        )
    if tensor.device.type == "meta":
        raise UnreadableWeights("not_a_checkpoint", f"`{key[:200]}` was saved without its values.")
    claimed = tensor.numel() * tensor.element_size()
    stored = tensor.untyped_storage().nbytes()
    if claimed > stored:
        raise UnreadableWeights(
            "expanded_tensor",
            f"`{key[:200]}` claims {tensor.numel():,} values of which {stored // tensor.element_size():,} are stored. "
            "Save it with .contiguous() or .clone().",
            {"tensor": key[:200], "claimed_bytes": claimed, "stored_bytes": stored},
        )
    return claimed


def settled(key: str, tensor: Tensor) -> Tensor:
    """Contiguous, in memory of its own, in a type that is taken. Raises UnreadableWeights."""
    check_claim(key, tensor)
    if tensor.dtype not in (*TAKEN, *COUNTERS):
        raise unsupported(key, tensor)
    wanted = torch.float32 if tensor.dtype == torch.float64 else tensor.dtype
    return tensor.to(wanted).clone(memory_format=torch.contiguous_format)


def unsupported(key: str, tensor: Tensor) -> UnreadableWeights:
    """The refusal of a type of numbers."""
    kind = str(tensor.dtype).removeprefix("torch.")
    return UnreadableWeights(
        "unsupported_dtype", f"`{key[:200]}` is {kind}; weights are float32, float16, bfloat16 or float64."
    )


@dataclass
class _Spread:
    """Mean and squared deviations of parts, joined as they come (Chan, Golub, LeVeque 1983)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    def add(self, values: Tensor) -> None:
        """Finite floating-point values."""
        low, high = torch.aminmax(values)
        variance, mean = torch.var_mean(values, correction=0)
        self.low, self.high = min(self.low, float(low)), max(self.high, float(high))
        more, apart = values.numel(), float(mean) - self.mean
        total = self.count + more
        self.squares += float(variance) * more + apart * apart * self.count * more / total
        self.mean += apart * more / total
        self.count = total

    @property
    def std(self) -> float | None:
        """The standard deviation; None without values, or where it is beyond what a float holds."""
        return math.sqrt(self.squares / self.count) if self.count and math.isfinite(self.squares) else None


def measure(tensor: Tensor) -> TensorInfo:
    """How the values of a tensor are spread, in one pass that needs little memory."""
    shape, kind = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
    if tensor.numel() == 0 or tensor.dtype not in (*TAKEN, *COUNTERS):
        return TensorInfo(shape, kind)
    flat, spread, bad = tensor.contiguous().view(-1), _Spread(), 0
    for start in range(0, flat.numel(), CHUNK):
        values = flat[start : start + CHUNK]
        values = values if values.dtype in (torch.float32, torch.float64) else values.double()
        if not bool(torch.stack(torch.aminmax(values)).isfinite().all()):  # NaN is both least and greatest
            good = values[values.isfinite()]
            bad += values.numel() - good.numel()
            values = good
        if values.numel():
            spread.add(values)
    known = spread.count > 0
    return TensorInfo(
        shape,
        kind,
        finite=bad == 0 if tensor.is_floating_point() else None,
        constant=known and bad == 0 and spread.low == spread.high,
        low=spread.low if known else None,
        high=spread.high if known else None,
        std=spread.std,
        bad=bad,
    )
