"""Files of weights as others write them, honest and hostile."""

import io
import json
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

# Real files of other people's, where a clone has them beside it.
ARTEFACTS = Path(__file__).resolve().parents[4] / "shared" / "data" / "artefacts" / "weights"


def small_state(seed: int = 0, *, prefix: str = "") -> "OrderedDict[str, torch.Tensor]":
    """A state_dict of two layers with their counter."""
    rng = torch.Generator().manual_seed(seed)
    return OrderedDict(
        {
            f"{prefix}conv1.weight": torch.randn(4, 3, 3, 3, generator=rng),
            f"{prefix}bn1.weight": torch.ones(4) + 0.1 * torch.randn(4, generator=rng),
            f"{prefix}bn1.num_batches_tracked": torch.tensor(7),
            f"{prefix}fc.weight": torch.randn(5, 4, generator=rng),
        }
    )


def saved(path: Path, content: Any, *, legacy: bool = False) -> Path:
    """What torch.save writes, in the zip format or in that of before 1.6."""
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


class Canary:
    """Unpickled without protection it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


def malicious(path: Path, canary: Path, kind: str) -> Path:
    """A file that would touch `canary`: zip, legacy, or a raw pickle of protocol 0, 2 or 4."""
    content = {"state_dict": small_state(), "extra": Canary(canary)}
    if kind in ("zip", "legacy"):
        return saved(path, content, legacy=kind == "legacy")
    path.write_bytes(pickle.dumps({"extra": Canary(canary)}, protocol=int(kind)))
    return path


def safetensors_bytes(header: Any, data: bytes = b"", *, length: int | None = None) -> bytes:
    """A safetensors file with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def rezipped(path: Path, *, zeros: int) -> Path:
    """A torch zip whose records are compressed, with a record of so many zeros more."""
    source = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
        new.writestr("archive/data/99", bytes(zeros))
    return path


Blobs = Mapping[str, Sequence[NDArray[Any]]]


def caffemodel(blobs: Blobs, kinds: Mapping[str, str], *, v1: bool = False, group: int = 1) -> bytes:
    """A NetParameter with one layer a name: V2 layers have shapes, V1 layers the four old axes."""
    types = {"Convolution": 4, "InnerProduct": 14}
    net = _field(1, b"net")
    for name, arrays in blobs.items():
        if v1:
            layer = _field(4, name.encode()) + _number(5, types[kinds[name]])
            layer += b"".join(_field(6, _blob(array, old=True)) for array in arrays)
            layer += _field(10, _number(5, group)) if kinds[name] == "Convolution" else b""
        else:
            layer = _field(1, name.encode()) + _field(2, kinds[name].encode())
            layer += b"".join(_field(7, _blob(array, old=False)) for array in arrays)
            layer += _field(106, _number(5, group) + _number(4, 3)) if kinds[name] == "Convolution" else b""
        net += _field(2 if v1 else 100, layer)
    return net


def _blob(array: NDArray[Any], *, old: bool) -> bytes:
    if old:
        axes = (1,) * (4 - array.ndim) + array.shape
        shape = b"".join(_number(number, axis) for number, axis in enumerate(axes, 1))
    else:
        shape = _field(7, _field(1, b"".join(_varint(axis) for axis in array.shape)))
    return shape + _field(5, array.astype("<f4").tobytes())


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


def arrays(seed: int = 0) -> dict[str, NDArray[Any]]:
    """A convolution and a matrix with their biases."""
    rng = np.random.default_rng(seed)
    shapes = {"conv.weight": (6, 3, 5, 5), "conv.bias": (6,), "fc.weight": (7, 6), "fc.bias": (7,)}
    return {key: rng.normal(size=shape).astype(np.float32) for key, shape in shapes.items()}
