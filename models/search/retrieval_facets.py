"""Facets by which a gallery's images can be compared to measure retrieval: scenes, labels, or source pictures."""

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from models.galleries.packs import Pack
from models.search.index import Rows
from models.search.retrieval_quality import GROUND, Facet

SCENE_FACETS: Final = ("kind", "number", GROUND)


@dataclass(frozen=True)
class Question:
    """Facets that are measured together, and the sources whose own images do not count as neighbours."""

    facets: tuple[Facet, ...]
    sources: Rows | None


def questions(pack: Pack, rows: int) -> tuple[Question, ...]:
    """The questions that the first rows allow, the most specific first; none where nothing is known of them."""
    sources = source_groups(pack, rows)
    several = len(np.unique(sources)) < rows
    found = []
    scenes = pack.scenes()[:rows]
    if any(scene is not None for scene in scenes):
        found.append(
            Question(tuple(_facet(name, [_scene(one, name) for one in scenes]) for name in SCENE_FACETS), None)
        )
    labels = pack.label_codes()[:rows].astype(np.int64)
    if len(np.unique(labels[labels >= 0])) > 1:
        found.append(Question((Facet("label", labels),), sources if several else None))
    if several:
        found.append(Question((Facet("photo", np.where(_alone(sources), -1, sources)),), None))
    return tuple(found)


def source_groups(pack: Pack, rows: int) -> Rows:
    """The source of each of the first rows as a number; a row without one is a source of its own."""
    codes = pack.pictures()[:rows].astype(np.int64)
    return np.where(codes < 0, codes.max(initial=0) + 1 + np.arange(len(codes)), codes)


def _alone(sources: Rows) -> np.ndarray[Any, np.dtype[np.bool_]]:
    _, place, counts = np.unique(sources, return_inverse=True, return_counts=True)
    return np.asarray(counts[place] == 1)


def _scene(scene: dict[str, Any] | None, name: str) -> Hashable | None:
    """One facet of a mixed scene; those of a sweep differ from one another in one factor alone and are left out."""
    if scene is None or scene.get("sweep") is not None:
        return None
    return json.dumps(sorted(scene["kinds"])) if name == "kind" else scene[name]


def _facet(name: str, values: Sequence[Hashable | None]) -> Facet:
    codes = {value: code for code, value in enumerate(dict.fromkeys(value for value in values if value is not None))}
    return Facet(name, np.array([-1 if value is None else codes[value] for value in values], dtype=np.int64))
