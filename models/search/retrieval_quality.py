"""How well spaces retrieve: precision at five, leaving out the query, its source picture and copies that look the same.

Every space is asked the same queries over the same rows, so that spaces can be compared pair by pair.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.galleries.phash import NEAR, Hashes, differing
from models.search.index import Rows
from models.statistics import Estimate

K: Final = 5
VOTERS: Final = 20
QUERIES: Final = 1000  # a precision of .5 then has a standard error below 1.6 points
DATABASE: Final = 10_000
FEWEST: Final = 20  # queries: with fewer nothing is reported
CHUNK: Final = 256
SEED: Final = 0
GROUND: Final = "ground"
Z: Final = 1.96

Vectors = NDArray[Any]


@dataclass(frozen=True)
class Facet:
    """A property by which images are compared: a code a row of the gallery, -1 where it is not known."""

    name: str
    codes: Rows


@dataclass(frozen=True)
class RetrievalQueries:
    """The facets to retrieve by, the rows that may be queries, and the pairs that never count as neighbours."""

    facets: tuple[Facet, ...]
    allowed: NDArray[np.bool_]
    sources: Rows | None
    hashes: Hashes


@dataclass(frozen=True)
class FacetScore:
    """Precision at five of a space, and how much higher it is than that of the reference, image by image.

    `voted` is the share of queries whose 20 nearest agree with them by majority; None where there are too few rows.
    """

    precision: Estimate
    gain: Estimate
    voted: float | None


@dataclass(frozen=True)
class Quality:
    """Scores by space and facet, and the score of a random choice among the rows that count."""

    queries: int
    database: int
    chance: Mapping[str, float]
    scores: Mapping[str, Mapping[str, FacetScore]]

    @property
    def sought(self) -> tuple[str, ...]:
        """The facets that a space should retrieve by: all but the ground.

        The ground shows where things lie, not which things they are.
        """
        return tuple(facet for facet in self.chance if facet != GROUND) or tuple(self.chance)

    def mean(self, space: str) -> float:
        """Precision at five, averaged over the facets that are sought."""
        return float(np.mean([self.scores[space][facet].precision.value for facet in self.sought]))


def measure(spaces: Mapping[str, Vectors], task: RetrievalQueries, *, reference: str) -> Quality | None:
    """Score spaces, (N, D) each, against the one named `reference`; None where too few images can be asked about."""
    rng = np.random.default_rng(SEED)
    usable = task.allowed & np.all([facet.codes >= 0 for facet in task.facets], axis=0)
    database = _some(np.flatnonzero(usable), DATABASE, rng)
    candidates = _some(database, QUERIES, rng)
    queries, chance = _answerable(candidates, database, task)
    if len(queries) < FEWEST:
        return None
    nearest = _nearest(spaces, queries, database, task)
    right = {
        space: {facet.name: facet.codes[rows] == facet.codes[queries, None] for facet in task.facets}
        for space, rows in nearest.items()
    }
    scores = {
        space: {
            facet.name: _score(right[space][facet.name], right[reference][facet.name], facet, nearest[space], queries)
            for facet in task.facets
        }
        for space in spaces
    }
    return Quality(len(queries), len(database), chance, scores)


def _some(rows: Rows, most: int, rng: np.random.Generator) -> Rows:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def _apart(queries: Rows, database: Rows, task: RetrievalQueries) -> NDArray[np.bool_]:
    """Which pairs count: not the query, its source or its copies, (n, M)."""
    apart = queries[:, None] != database[None]
    if task.sources is not None:
        apart &= task.sources[queries, None] != task.sources[None, database]
    hashes = task.hashes[database]
    for place, row in enumerate(queries.tolist()):
        apart[place] &= differing(int(task.hashes[row]), hashes) > NEAR
    return np.asarray(apart)


def _answerable(queries: Rows, database: Rows, task: RetrievalQueries) -> tuple[Rows, dict[str, float]]:
    """The queries that have five neighbours, and one that is right by each facet; the share that is right by chance."""
    shares = np.zeros((len(task.facets), len(queries)))
    for start in range(0, len(queries), CHUNK):
        part = queries[start : start + CHUNK]
        apart = _apart(part, database, task)
        enough = np.maximum(apart.sum(axis=1), K)
        for place, facet in enumerate(task.facets):
            same = apart & (facet.codes[part, None] == facet.codes[None, database])
            shares[place, start : start + len(part)] = same.sum(axis=1) / enough * (apart.sum(axis=1) >= K)
    kept = (shares > 0).all(axis=0)
    means = shares[:, kept].mean(axis=1) if kept.any() else shares.sum(axis=1)
    return queries[kept], {facet.name: float(mean) for facet, mean in zip(task.facets, means, strict=True)}


def _nearest(spaces: Mapping[str, Vectors], queries: Rows, database: Rows, task: RetrievalQueries) -> dict[str, Rows]:
    """The nearest rows that count, nearest first, by space: (n, k) with k of 20 where every query has that many."""
    found: dict[str, list[Rows]] = {space: [] for space in spaces}
    stored = {space: np.asarray(vectors[database], dtype=np.float32) for space, vectors in spaces.items()}
    squares = {space: np.square(vectors).sum(axis=1) for space, vectors in stored.items()}
    places = np.searchsorted(database, queries)  # queries are rows of the database
    k = min(VOTERS, len(database) - 1)
    for start in range(0, len(queries), CHUNK):
        apart = _apart(queries[start : start + CHUNK], database, task)
        k = min(k, int(apart.sum(axis=1).min()))
        for space, vectors in stored.items():
            far = squares[space] - 2 * vectors[places[start : start + CHUNK]] @ vectors.T  # |query|^2 changes no order
            far[~apart] = np.inf
            found[space].append(database[_first(far, k)])
    return {space: np.concatenate([part[:, :k] for part in parts]) for space, parts in found.items()}


def _first(far: NDArray[np.float32], k: int) -> Rows:
    """The columns of the k smallest of each row, ascending."""
    some = np.argpartition(far, k - 1, axis=1)[:, :k]
    order = np.take_along_axis(far, some, axis=1).argsort(axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)


def _score(
    right: NDArray[np.bool_], reference: NDArray[np.bool_], facet: Facet, nearest: Rows, queries: Rows
) -> FacetScore:
    mine, other = right[:, :K].mean(axis=1), reference[:, :K].mean(axis=1)
    voted = _vote(facet.codes[nearest], facet.codes[queries]) if nearest.shape[1] == VOTERS else None
    return FacetScore(_mean(mine), _mean(mine - other), voted)


def _mean(values: NDArray[np.float64]) -> Estimate:
    value = float(values.mean())
    half = Z * float(values.std(ddof=1)) / float(np.sqrt(len(values)))
    return Estimate(value, value - half, value + half)


def _vote(codes: Rows, wanted: Rows) -> float:
    """The share of queries whose most frequent code among the nearest is theirs; ties go to the lower code."""
    classes = int(codes.max()) + 1
    votes = np.zeros((len(codes), classes), dtype=np.int32)
    np.add.at(votes, (np.arange(len(codes))[:, None], codes), 1)
    return float((votes.argmax(axis=1) == wanted).mean())
