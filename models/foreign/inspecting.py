"""Inspect a file of weights: its candidates, the spread of their values, and the plain values stored beside them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from models.foreign.finding import FoundWeights, find, is_leaf
from models.foreign.leaves import as_tensor, check_claim, measure
from models.foreign.reading import RawFile, reading
from models.foreign.weights import Inspection, TensorInfo, UnreadableWeights, WeightsCandidate

MOST_CLAIMED: Final = 20  # times the file's size that all tensors together may claim; tied weights are counted each
SLACK: Final = 16 << 20
MAX_DEPTH, MAX_ITEMS, MAX_TEXT = 4, 200, 500


def inspect(path: Path, *, limit: int | None = None) -> Inspection:
    """What the file holds. Raises UnreadableWeights; nothing in the file is executed."""
    with reading(path, limit=limit) as raw:
        found = find(raw.content)
        _check_claims(raw, found)
        measured: dict[int, TensorInfo] = {}
        candidates = tuple(_candidate(it, measured) for it in found)
        about = raw.content if raw.format not in ("safetensors", "npz", "npy", "caffemodel") else {}
        metadata = {**_metadata(about), **_metadata({k: v for k, v in raw.about.items() if k != "caffe"})}
        if "caffe" in raw.about:
            metadata["caffe"] = raw.about["caffe"]
        return Inspection(raw.format, raw.sha256, raw.size, candidates, metadata, _warnings(candidates))


def _check_claims(raw: RawFile, found: Iterable[FoundWeights]) -> None:
    claimed = 0
    for weights in found:
        for key, leaf in {**weights.tensors, **weights.beside}.items():
            claimed += check_claim(key, as_tensor(leaf))
    if claimed > MOST_CLAIMED * raw.size + SLACK:
        raise UnreadableWeights(
            "expanded_tensor", f"The tensors claim {claimed:,} bytes; the file has {raw.size:,}.", {"claimed": claimed}
        )


def _candidate(found: FoundWeights, measured: dict[int, TensorInfo]) -> WeightsCandidate:
    def info(leaf: Any) -> TensorInfo:
        if id(leaf) not in measured:
            measured[id(leaf)] = measure(as_tensor(leaf))
        return measured[id(leaf)]

    return WeightsCandidate(
        name=found.name,
        prefix=found.prefix,
        tensors={key: info(leaf) for key, leaf in found.tensors.items()},
        inner=found.inner,
        beside={key: info(leaf) for key, leaf in found.beside.items()},
    )


def _warnings(candidates: Iterable[WeightsCandidate]) -> tuple[str, ...]:
    kinds = {info.dtype for candidate in candidates for info in candidate.tensors.values()}
    notes = {
        "float64": "Some tensors are float64; they are used as float32.",
        "float16": "Some tensors are float16.",
        "bfloat16": "Some tensors are bfloat16.",
    }
    return tuple(note for kind, note in notes.items() if kind in kinds)


def _metadata(content: Any) -> dict[str, Any]:
    """The plain values beside the tensors: epoch, arch, arguments."""
    plain = _plain(content, MAX_DEPTH)
    return plain if isinstance(plain, dict) else {}


def _plain(value: Any, depth: int) -> Any:
    """`value` as bounded JSON without tensors; None where nothing is left."""
    if isinstance(value, bool | None):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else str(value)[:MAX_TEXT]
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, str | bytes):
        text = value if isinstance(value, str) else value[:MAX_TEXT].decode("utf-8", "replace")
        return text[:MAX_TEXT].encode("utf-8", "replace").decode("utf-8")
    if depth == 0 or is_leaf(value):
        return None
    if isinstance(value, list | tuple):
        kept = [_plain(item, depth - 1) for item in value[:MAX_ITEMS]]
        return [item for item in kept if item is not None] or None
    items = value if isinstance(value, Mapping) else getattr(value, "__dict__", None)
    if not isinstance(items, Mapping) or "param_groups" in items:
        return None
    named = {str(_plain(str(key), 1)): _plain(item, depth - 1) for key, item in list(items.items())[:MAX_ITEMS]}
    return {key: item for key, item in named.items() if item is not None} or None
