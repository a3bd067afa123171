"""The target of each image, for tasks that do not make their own: where it comes from and what it means. No torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.clusters.files import ClusteringReader
from models.galleries.packs import Pack


class OtherImages(ValueError):
    """The clustering is of other images than those that are trained on."""

    code = "other_gallery"


class NoLabels(ValueError):
    """The gallery lacks the targets that the task has to learn; the message says what is missing."""

    code = "no_labels"


@dataclass(frozen=True)
class Targets:
    """One target a row of the gallery: `values` (rows,) or (rows, K), which rows have one, and the classes' names.

    `apart` are the rows that had no part in making the targets (None: not known): only those may be held out, and none
    of them is trained on.
    """

    values: NDArray[np.int64] | NDArray[np.float32]
    known: NDArray[np.bool_]
    names: tuple[str, ...]
    apart: NDArray[np.bool_] | None = None

    @property
    def majority(self) -> float:
        """The share of the commonest class."""
        known = self.values[self.known]
        return float(np.bincount(known.astype(np.int64)).max() / len(known)) if known.ndim == 1 else 0.0


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


def of_clusters(reader: ClusteringReader, pack: Pack) -> Targets:
    """The cluster of each image; clusters without images get no number. Raises OtherImages, NoLabels.

    Where the centres were fitted on some of these images, the others are kept apart.
    """
    info = reader.info
    if pack.shards[: len(info.shards)] != info.shards:
        raise OtherImages(
            f"{info.name} groups the images of {info.gallery}. Give the images of this gallery its centres first: "
            "scan it with the same checkpoint and cluster with method centres"
        )
    groups, numbers = np.unique(reader.clusters, return_inverse=True)
    if len(groups) < 2:
        raise NoLabels(f"All images of {info.name} are in one cluster, so there is nothing to learn")
    values = np.full(len(pack), -1, dtype=np.int64)
    values[: info.rows] = numbers
    apart = None
    if reader.fitted.any() and not reader.fitted.all():
        apart = np.zeros(len(pack), dtype=bool)
        apart[: info.rows] = ~reader.fitted
    return Targets(values, values >= 0, tuple(f"cluster {group}" for group in groups), apart)


def of_counts(pack: Pack) -> Targets:
    """The named counts of a gallery, (rows, C) in alphabetical order; rows without any have no target. Raises NoLabels.

    They are counts of the whole image, so the target of a smaller crop may count things that the crop does not show.
    """
    counts = [row.counts for row in pack.metadata(range(len(pack)))]
    names = tuple(sorted({name for known in counts if known for name in known}))
    if not names:
        raise NoLabels("This needs named counts, which no image of the gallery has")
    values = np.array([[(known or {}).get(name, 0) for name in names] for known in counts], dtype=np.float32)
    return Targets(values, np.array([known is not None for known in counts]), names)


def known_of(pack: Pack, kind: str) -> Targets | None:
    """The targets that the gallery itself has, by a config's `targets_from`; None where it asks for none. Raises
    NoLabels.
    """
    if kind == "gallery":
        return of_labels(pack)
    return of_counts(pack) if kind == "counts" else None
