"""The names and shapes of a file's tensors, and the questions that tell architectures apart. Free of torch."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.foreign.report import Head, HeadKind, Shape
from models.foreign.weights import Candidate

COUNTERS = "num_batches_tracked"


@dataclass(frozen=True)
class Names:
    """Shapes by the file's names; `prefix` is what was stripped from them, `metadata` what the file says of itself."""

    shapes: Mapping[str, Shape]
    prefix: str = ""
    metadata: Mapping[str, object] | None = None

    @classmethod
    def of(cls, candidate: Candidate, metadata: Mapping[str, object] | None = None) -> "Names":
        return cls({name: info.shape for name, info in candidate.tensors.items()}, candidate.prefix, metadata)

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


def without(names: Names, *heads: Head) -> dict[str, str]:
    """Every tensor that no left-out head owns, under its own name."""
    owned = {name for head in heads if not head.kept for name in head.tensors}
    return {name: name for name in names.shapes if name not in owned}
