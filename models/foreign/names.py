"""The names and shapes of a file's tensors, and the questions by which architectures are told apart. Free of torch."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from models.foreign.report import Head, HeadKind, Shape
from models.foreign.weights import TensorInfo, WeightsCandidate

COUNTERS = "num_batches_tracked"
_BESIDE: dict[str, HeadKind] = {  # parts of names, the first that fits
    "queue": "queue",
    "decoder": "decoder",
    "counts": "counts",
    "top_layer": "clusters",
    "prototypes": "clusters",
    "head": "projection",
    "proj": "projection",
    "predictor": "projection",
}
_SAID: dict[HeadKind, str] = {
    "queue": "negatives of the last batches",
    "decoder": "decoder that paints what was hidden",
    "counts": "counting head",
    "clusters": "one row a cluster",
    "projection": "head of the pretext task",
    "other": "lies beside the network",
}


@dataclass(frozen=True)
class Names:
    """Shapes by the file's names; `prefix` is what was stripped from them, `metadata` what the file says of itself.

    `tensors` are what is known of the values, by the same names; empty for a part of a file.
    """

    shapes: Mapping[str, Shape]
    prefix: str = ""
    metadata: Mapping[str, object] | None = None
    tensors: Mapping[str, TensorInfo] = field(default_factory=dict)

    @classmethod
    def of(cls, candidate: WeightsCandidate, metadata: Mapping[str, object] | None = None) -> "Names":
        shapes = {name: info.shape for name, info in candidate.tensors.items()}
        return cls(shapes, candidate.prefix, metadata, candidate.tensors)

    def __contains__(self, name: str) -> bool:
        return name in self.shapes

    def shape(self, name: str) -> Shape:
        """The shape under that name, () where there is none."""
        return self.shapes.get(name, ())

    def rows(self, name: str) -> int | None:
        """The first length of a tensor: the outputs of a layer."""
        shape = self.shapes.get(name)
        return shape[0] if shape else None

    def starting(self, *prefixes: str) -> tuple[str, ...]:
        return tuple(name for name in self.shapes if name.startswith(prefixes))

    def indices(self, pattern: str) -> list[int]:
        """The different numbers that the first group of the pattern finds, in order."""
        compiled = re.compile(pattern)
        return sorted({int(found[1]) for name in self.shapes if (found := compiled.match(name))})

    def under(self, prefix: str) -> "Names":
        """The tensors below a prefix, without it."""
        return Names(
            {name.removeprefix(prefix): shape for name, shape in self.shapes.items() if name.startswith(prefix)},
            self.prefix,
            self.metadata,
        )


def kept_head(names: Names, top: str, kind: HeadKind, words: str) -> tuple[Head, ...]:
    """The head of one linear layer that is loaded with the encoder; nothing where the file has none."""
    found = names.starting(f"{top}.")
    return (Head(kind, names.rows(f"{top}.weight"), found, True, words),) if found else ()


def left_head(names: Iterable[str], kind: HeadKind, outputs: int | None, words: str) -> tuple[Head, ...]:
    """A head that is named and left out."""
    found = tuple(names)
    return (Head(kind, outputs, found, False, words),) if found else ()


def heads_beside(candidate: WeightsCandidate) -> tuple[Head, ...]:
    """What lies in the same dict outside the network: heads of the pretext task, queues, decoders."""
    found: dict[HeadKind, list[str]] = {}
    for name in candidate.beside:
        kind: HeadKind = next((kind for word, kind in _BESIDE.items() if word in name), "other")
        found.setdefault(kind, []).append(name)
    return tuple(
        Head(kind, _outputs(kind, [candidate.beside[name].shape for name in names]), tuple(names), False, _SAID[kind])
        for kind, names in found.items()
    )


def _outputs(kind: HeadKind, shapes: list[Shape]) -> int | None:
    """What the last matrix gives: counts, clusters, the width of a projection."""
    matrices = [shape for shape in shapes if len(shape) == 2]
    return matrices[-1][0] if matrices and kind in ("counts", "clusters", "projection") else None
