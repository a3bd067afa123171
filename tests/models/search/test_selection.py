"""What is left out of a list of neighbours, and what goes behind another."""

import numpy as np
import pytest

from models.search.index import EmbeddingIndex, Neighbors, random_distances
from models.search.selection import Hit, Rules, select

LINE = EmbeddingIndex(np.arange(12, dtype=np.float32)[:, None], "l2")  # row r lies at r


def near(query: int, k: int, rules: Rules) -> list[int]:
    return [hit.row for hit in hits(query, k, rules)]


def hits(query: int, k: int, rules: Rules) -> tuple[Hit, ...]:
    return select(lambda count: LINE.search(LINE.vector(query), count), len(LINE), k, rules)[0]


def test_without_rules_the_nearest_rows_come_first() -> None:
    assert near(0, 3, Rules()) == [0, 1, 2]
    assert near(0, 3, Rules(query=0)) == [1, 2, 3]


def test_rows_that_are_not_allowed_make_room_for_those_behind() -> None:
    allowed = np.arange(12) >= 9
    assert near(0, 3, Rules(query=0, allowed=allowed)) == [9, 10, 11]
    assert near(0, 9, Rules(query=0, allowed=allowed)) == [9, 10, 11]


def test_the_source_of_the_query_is_left_out_and_each_other_comes_once_where_asked() -> None:
    sources = np.repeat(np.arange(4), 3)
    assert near(1, 4, Rules(query=1, sources=sources, apart=0)) == [3, 4, 5, 6]
    assert near(1, 4, Rules(query=1, sources=sources, apart=0, one_a_source=True)) == [3, 6, 9]
    assert near(1, 2, Rules(query=1, sources=sources, one_a_source=True)) == [0, 3]


def test_near_copies_go_behind_the_first_of_them_and_take_no_place() -> None:
    hashes = np.random.default_rng(0).integers(1, 2**63, 12).astype(np.uint64)  # some 32 bits from one another
    hashes[[3, 7, 11]] = hashes[2] ^ np.uint64(0b111)
    found = hits(0, 4, Rules(query=0, hashes=hashes))
    assert [(hit.row, hit.copies) for hit in found] == [(1, ()), (2, (3, 7, 11)), (4, ()), (5, ())]


def test_a_near_copy_of_the_query_is_a_neighbour_and_the_query_is_no_copy_of_it() -> None:
    hashes = np.random.default_rng(0).integers(1, 2**63, 12).astype(np.uint64)
    hashes[4] = hashes[0]
    assert hits(0, 4, Rules(query=0, hashes=hashes))[3] == Hit(4, 4.0)


def test_copies_that_may_not_be_shown_are_not_counted() -> None:
    hashes = np.full(12, 0b1011, dtype=np.uint64)
    allowed = np.arange(12) < 6
    (only,) = hits(0, 5, Rules(query=0, allowed=allowed, hashes=hashes))
    assert only.row == 1 and only.copies == (2, 3, 4, 5)


def test_random_pairs_tell_whether_a_distance_is_small() -> None:
    pairs = random_distances(LINE)
    assert len(pairs) == 10_000 and (np.diff(pairs) >= 0).all()
    assert pairs.min() == 1 and pairs.max() == 11  # never a row with itself
    # Of the 66 pairs of rows on a line, 11 lie one apart.
    assert (pairs == 1).mean() == pytest.approx(11 / 66, abs=0.02)
    assert (random_distances(LINE) == pairs).all()


def test_cosine_pairs_are_one_minus_the_cosine() -> None:
    index = EmbeddingIndex(np.array([[1, 0], [0, 3]], dtype=np.float32), "cosine")
    assert set(random_distances(index).tolist()) == {1.0}
    assert len(random_distances(EmbeddingIndex(np.ones((1, 2), dtype=np.float32), "cosine"))) == 0


def test_all_tied_is_passed_on() -> None:
    tied = Neighbors(np.arange(3), np.ones(3, dtype=np.float32), tied=True)
    assert select(lambda _count: tied, 3, 2, Rules())[1]
