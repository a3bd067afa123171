"""Weights of a .caffemodel, without Caffe: layers, blobs and what a layer does.

Jia et al., "Caffe: Convolutional Architecture for Fast Feature Embedding", ACM Multimedia 2014; field numbers are
those of its caffe.proto: NetParameter has `layers` (2, V1) or `layer` (100); a blob is BlobProto with `shape` (7) or
the older num, channels, height, width (1 to 4).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.foreign.protobuf import BYTES, FIXED32, FIXED64, BadMessage, Value, fields, numbers, text
from models.foreign.weights import UnreadableWeights

MAX_LAYERS: Final = 10_000
MAX_DIMS: Final = 8

V1_TYPES: Final = {
    3: "Concat", 4: "Convolution", 5: "Data", 6: "Dropout", 8: "Flatten", 9: "HDF5Data", 12: "ImageData",
    14: "InnerProduct", 15: "LRN", 17: "Pooling", 18: "ReLU", 19: "Sigmoid", 20: "Softmax", 21: "SoftmaxWithLoss",
    22: "Split", 23: "TanH", 25: "Eltwise", 26: "Power", 33: "Slice", 36: "Silence", 39: "Deconvolution",
}  # fmt: skip
_CONV_FIELDS: Final = {1: "num_output", 3: "pad", 4: "kernel_size", 5: "group", 6: "stride", 18: "dilation"}
_CONV_AXES: Final = {9: "pad", 10: "pad", 11: "kernel_size", 12: "kernel_size", 13: "stride", 14: "stride"}
_POOL_FIELDS: Final = {1: "pool", 2: "kernel_size", 3: "stride", 4: "pad"}
_WEIGHTED: Final = ("Convolution", "Deconvolution", "InnerProduct", "Scale", "PReLU", "Embed")

Array = NDArray[Any]


@dataclass
class Layer:
    """A layer as stored; `settings` of convolution and pooling: kernel_size, stride, pad, group, num_output."""

    name: str = ""
    type: str = ""
    bottom: list[str] = field(default_factory=list)
    top: list[str] = field(default_factory=list)
    settings: dict[str, list[int]] = field(default_factory=dict)
    blobs: list[Array] = field(default_factory=list)


def begins(head: bytes, size: int) -> bool:
    """Whether a file of `size` bytes that begins so is a NetParameter with layers."""
    data, names, layers = memoryview(head), 0, 0
    try:
        for number, kind, value in fields(data):
            if kind != (0 if number in (4, 5, 7) else BYTES) or number not in (1, 2, 3, 4, 5, 6, 7, 8, 100):
                return False
            names += number == 1
            layers += number in (2, 100) and isinstance(value, memoryview) and _is_layer(value)
    except BadMessage:
        # The head may end inside a layer, which begins with its tag.
        return names <= 1 and size > len(head) and (layers > 0 or b"\xa2\x06" in head or b"\x12" in head[:80])
    return names <= 1 and layers > 0


def read(data: memoryview) -> tuple[dict[str, Array], dict[str, Any]]:
    """Tensors by `layer.weight` and the like, and what the net is made of. Raises UnreadableWeights."""
    try:
        name, layers = "", []
        for number, kind, value in fields(data):
            if number == 1 and kind == BYTES:
                name = text(value)
            elif number in (2, 100) and isinstance(value, memoryview):
                layers.append(_layer(value, v1=number == 2))
                if len(layers) > MAX_LAYERS:
                    raise BadMessage("too many layers")
    except BadMessage as error:
        raise UnreadableWeights("not_a_checkpoint", f"The Caffe file is damaged or was cut off: {error}.") from None
    tensors: dict[str, Array] = {}
    for layer in layers:
        tensors.update(_named(layer, taken=tensors))
    return tensors, {"name": name, "layers": [_described(layer) for layer in layers]}


def _is_layer(data: memoryview) -> bool:
    try:
        return any(number in (1, 4) and kind == BYTES for number, kind, _ in fields(data))
    except BadMessage:
        return False


def _layer(data: memoryview, *, v1: bool) -> Layer:
    layer = Layer()
    name, kind_of, bottom, top, blobs = (4, 5, 2, 3, 6) if v1 else (1, 2, 3, 4, 7)
    convolution, pooling = (10, 19) if v1 else (106, 121)
    for number, kind, value in fields(data):
        if number == name:
            layer.name = text(value)
        elif number == kind_of:
            layer.type = V1_TYPES.get(value, str(value)) if isinstance(value, int) else text(value)
        elif number == bottom and kind == BYTES:
            layer.bottom.append(text(value))
        elif number == top and kind == BYTES:
            layer.top.append(text(value))
        elif number == blobs and isinstance(value, memoryview):
            layer.blobs.append(_blob(value))
        elif number == convolution and isinstance(value, memoryview):
            layer.settings.update(_settings(value, {**_CONV_FIELDS, **_CONV_AXES}))
        elif number == pooling and isinstance(value, memoryview):
            layer.settings.update(_settings(value, _POOL_FIELDS))
    return layer


def _settings(data: memoryview, known: Mapping[int, str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, kind, value in fields(data):
        if number in known and kind in (0, BYTES):
            found.setdefault(known[number], []).extend(numbers(kind, value)[:MAX_DIMS])
    return found


def _blob(data: memoryview) -> Array:
    """One array; views of the file where its values are packed, which is how Caffe writes them."""
    old: dict[int, int] = {}
    shape: list[int] | None = None
    parts: list[Array] = []
    for number, kind, value in fields(data):
        if number in (1, 2, 3, 4) and isinstance(value, int):
            old[number] = value
        elif number == 7 and isinstance(value, memoryview):
            shape = [dim for n, k, v in fields(value) if n == 1 for dim in numbers(k, v)]
        elif number in (5, 8):
            parts.append(_values(number, kind, value))
    dims = tuple(shape) if shape is not None else tuple(old.get(axis, 1) for axis in (1, 2, 3, 4))
    values = parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.zeros(0, "<f4")
    if len(dims) > MAX_DIMS or _product(dims) != values.size:
        raise BadMessage(f"a blob of shape {'x'.join(map(str, dims[:MAX_DIMS]))} has {values.size} values")
    return values.reshape(dims)


def _values(number: int, kind: int, value: Value) -> Array:
    dtype, lone = ("<f4", FIXED32) if number == 5 else ("<f8", FIXED64)
    if isinstance(value, int) or kind not in (BYTES, lone) or len(value) % np.dtype(dtype).itemsize:
        raise BadMessage("a blob's values are damaged")
    return np.frombuffer(value, dtype)


def _product(dims: tuple[int, ...]) -> int:
    product = 1
    for length in dims:
        product *= length
    return product


def _named(layer: Layer, *, taken: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """The layer's blobs under the names that other frameworks use; what has no such name is `blobs.0`, `blobs.1`."""
    blobs = [_without_ones(blob, layer.type, place) for place, blob in enumerate(layer.blobs)]
    names = [f"blobs.{place}" for place in range(len(blobs))]
    if layer.type == "BatchNorm" and len(blobs) == 3:
        factor = float(blobs[2].reshape(-1)[0]) if blobs[2].size else 0.0
        scale = 1 / factor if factor else 0.0  # Caffe stores sums, and how much was summed
        blobs, names = [blobs[0] * scale, blobs[1] * scale], ["running_mean", "running_var"]
    elif layer.type in _WEIGHTED and len(blobs) <= 2:
        names = ["weight", "bias"][: len(blobs)]
    for name, blob in zip(names, blobs, strict=True):
        key, again = f"{layer.name}.{name}", 1
        while key in taken:
            again += 1
            key = f"{layer.name}#{again}.{name}"
        yield key, blob


def _without_ones(blob: Array, kind: str, place: int) -> Array:
    """Older files write every blob with four axes: a matrix as 1x1xOxI, a bias as 1x1x1xO."""
    if blob.ndim != 4 or (kind in ("Convolution", "Deconvolution") and place == 0):
        return blob
    if blob.shape[:3] == (1, 1, 1):
        return blob.reshape(blob.shape[3])
    return blob.reshape(blob.shape[2:]) if blob.shape[:2] == (1, 1) else blob


def _described(layer: Layer) -> dict[str, Any]:
    return {"name": layer.name, "type": layer.type, "bottom": layer.bottom, "top": layer.top, **layer.settings}
