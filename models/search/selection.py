"""From rows by distance to the rows that are shown: only allowed ones, one a source, near copies grouped."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.galleries.phash import NEAR, Hashes, differing
from models.search.index import Neighbors, Rows

WIDEN = 4  # how many times more rows are looked at where too many were left out


@dataclass(frozen=True)
class Rules:
    """What is left out: the row `query`, and rows by arrays with one entry a row (None: nothing is left out by it).

    `sources` numbers the source pictures, `apart` is the one that may not appear; of each source at most one row is
    taken where `one_a_source`. `hashes` groups near copies of a row behind it.
    """

    query: int | None = None
    allowed: NDArray[np.bool_] | None = None
    sources: Rows | None = None
    apart: int | None = None
    one_a_source: bool = False
    hashes: Hashes | None = None


@dataclass(frozen=True)
class Hit:
    """A row, its distance, and the rows of the gallery that are left out because they look the same."""

    row: int
    distance: float
    copies: tuple[int, ...] = ()


def select(search: Callable[[int], Neighbors], rows: int, k: int, rules: Rules) -> tuple[tuple[Hit, ...], bool]:
    """The k nearest rows that the rules let pass, and whether all are tied.

    `search(n)` gives the n nearest; at most `rows` are asked for.
    """
    fetch = min(k + 1, rows)  # one more for the query itself
    while True:
        near = search(fetch)
        hits = _take(near, k, rules)
        if len(hits) >= k or fetch >= rows:
            return hits, near.tied
        fetch = min(fetch * WIDEN, rows)


def _take(near: Neighbors, k: int, rules: Rules) -> tuple[Hit, ...]:
    hidden: set[int] = set()
    sources: set[int] = set() if rules.apart is None else {rules.apart}
    taken: list[Hit] = []
    for row, distance in zip(near.rows.tolist(), near.distances.tolist(), strict=True):
        if len(taken) == k:
            break
        if row in hidden or not _may(row, rules, sources):
            continue
        copies = _copies(row, rules, hidden)
        hidden.update(copies)
        if rules.one_a_source and rules.sources is not None:
            sources.add(int(rules.sources[row]))
        taken.append(Hit(row, distance, copies))
    shown = {hit.row for hit in taken}
    return tuple(Hit(hit.row, hit.distance, tuple(row for row in hit.copies if row not in shown)) for hit in taken)


def _may(row: int, rules: Rules, sources: set[int]) -> bool:
    if row == rules.query or (rules.allowed is not None and not rules.allowed[row]):
        return False
    return rules.sources is None or int(rules.sources[row]) not in sources


def _copies(row: int, rules: Rules, hidden: set[int]) -> tuple[int, ...]:
    """The rows that look like this one and could have been shown in its place."""
    if rules.hashes is None:
        return ()
    near = np.flatnonzero(differing(int(rules.hashes[row]), rules.hashes) <= NEAR)
    sources = set() if rules.apart is None else {rules.apart}
    return tuple(
        other for other in near.tolist() if other != row and other not in hidden and _may(other, rules, sources)
    )
