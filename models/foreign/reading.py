"""From a path to nested values whose leaves are tensors; nothing in a file is ever executed."""

import mmap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.foreign import caffe, numpy_files, safetensors_files, torch_files
from models.foreign.finding import find
from models.foreign.formats import Format, recognise
from models.foreign.leaves import as_tensor, settled
from models.foreign.opening import OpenFile, opened
from models.foreign.pickles import check_globals, unsafe
from models.foreign.weights import UnreadableWeights


@dataclass(frozen=True)
class RawFile:
    """A file as read: nested dicts, lists and plain values; `about` is what the format itself says."""

    format: Format
    sha256: str
    size: int
    content: Any
    about: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def reading(path: Path, *, limit: int | None = None) -> Iterator[RawFile]:
    """The file's content while the block lasts; tensors may be mapped from the file. Raises UnreadableWeights."""
    with opened(path, limit=limit) as file:
        kind = recognise(file)
        sha256 = file.sha256()
        content, about = _content(file, kind)
        yield RawFile(kind, sha256, file.size, content, about)


def read_tensors(path: Path, candidate_name: str, *, sha256: str | None = None) -> dict[str, Tensor]:
    """The tensors of one candidate, contiguous, under the names its Candidate has; float64 becomes float32.

    Floating-point tensors are float32, float16 or bfloat16 as in the file; counters (num_batches_tracked, indices) stay
    integers. Raises UnreadableWeights, with `checkpoint_changed` where the file is not the one of `sha256`.
    """
    with reading(path) as raw:
        if sha256 is not None and raw.sha256 != sha256:
            raise UnreadableWeights("checkpoint_changed", "The file is no longer the one that was inspected.")
        found = {weights.name: weights for weights in find(raw.content)}
        if candidate_name not in found:
            raise UnreadableWeights("unknown_candidate", f"The file holds no weights {candidate_name[:80]!r}.")
        weights = found[candidate_name]
        return {key: settled(key, as_tensor(leaf)) for key, leaf in weights.tensors.items()}


def _content(file: OpenFile, kind: Format) -> tuple[Any, dict[str, Any]]:
    match kind:
        case "safetensors":
            tensors, text = safetensors_files.read(file)
            return tensors, dict(text)
        case "torch-zip" | "torch-legacy":
            return torch_files.read(file, zipped=kind == "torch-zip"), {}
        case "pickle":
            check_globals(file, zipped=False)
            raise unsafe([])
        case "npz":
            return numpy_files.read_archive(file), {}
        case "npy":
            return numpy_files.read_array(file), {}
        case "caffemodel":
            return _caffe(file)


def _caffe(file: OpenFile) -> tuple[Any, dict[str, Any]]:
    mapped = mmap.mmap(file.descriptor, 0, access=mmap.ACCESS_READ)  # goes with the last view of it
    arrays, net = caffe.read(memoryview(mapped))
    # Copies, because the blobs lie at odd addresses.
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}, {"caffe": net}
