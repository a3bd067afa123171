"""The target of each image, for tasks that do not make their own: where it comes from and what it means. No torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.packs import Pack


class NoLabels(ValueError):
    """The gallery does not know what the task has to learn; the message says what is missing."""

    code = "no_labels"


@dataclass(frozen=True)
class Targets:
    """One target a row of the gallery: `values` (rows,) or (rows, K), which rows have one, and the classes' names."""

    values: NDArray[np.int64] | NDArray[np.float32]
    known: NDArray[np.bool_]
    names: tuple[str, ...]


def of_labels(pack: Pack) -> Targets:
    """The labels of a gallery as numbers, classes in the order of their names. Raises NoLabels."""
    names = tuple(pack.labels())
    if len(names) < 2:
        raise NoLabels(
            f"This task learns the labels of a gallery, at least two; {'none' if not names else 'one'} is here"
        )
    values = np.full(len(pack), -1, dtype=np.int64)
    for number, name in enumerate(names):
        values[pack.select(label=name)] = number
    return Targets(values, values >= 0, names)
