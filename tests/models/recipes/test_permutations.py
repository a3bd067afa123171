"""Sets of permutations: as far apart as the papers say, and the same from the same seed."""

import numpy as np
import pytest

from models.recipes import build_config
from models.recipes.base import BadConfig
from models.recipes.permutations import (
    TooFewPermutations,
    always_found,
    bound,
    distances,
    fingerprint,
    max_mean,
    min_distance,
)


def test_distances_of_three_permutations_that_can_be_counted() -> None:
    """The second swaps two tiles, the third moves all nine on: distances 2, 9 and 9 of the first to them."""
    first = list(range(9))
    swapped = [1, 0, *first[2:]]
    moved = [*first[1:], 0]  # agrees with `swapped` in slot 0 alone
    assert distances(np.array([first, swapped, moved], dtype=np.uint8)) == (2, pytest.approx((2 + 9 + 8) / 3))


def test_nine_permutations_of_greatest_mean_distance_agree_nowhere() -> None:
    assert distances(max_mean(9, 0)) == (9, 9.0)


def test_a_hundred_are_as_far_apart_as_those_that_were_published() -> None:
    chosen = max_mean(100, 0)
    assert len({tuple(row) for row in chosen.tolist()}) == 100
    assert np.array_equal(np.sort(chosen, axis=1), np.tile(np.arange(9), (100, 1)))
    assert distances(chosen)[1] == pytest.approx(8.08, abs=0.005)


def test_701_permutations_differ_in_at_least_three_slots() -> None:
    """Without the rule about 24 of the 245,350 pairs would differ in two."""
    chosen = min_distance(701, 3, 0)
    assert len({tuple(row) for row in chosen.tolist()}) == 701
    assert np.array_equal(np.sort(chosen, axis=1), np.tile(np.arange(9), (701, 1)))
    least, mean = distances(chosen)
    assert least == 3
    assert mean == pytest.approx(8, abs=0.01)


def test_a_seed_is_a_set_and_its_hash() -> None:
    again = min_distance.__wrapped__(20, 4, 1)
    assert fingerprint(again) == fingerprint(min_distance(20, 4, 1))
    assert fingerprint(again) != fingerprint(min_distance(20, 4, 2))
    assert fingerprint(again) != fingerprint(again[::-1])


def test_bounds_are_those_of_the_spaces() -> None:
    """9 slots that all differ hold 9 permutations; 8 hold 72, 7 hold 504. A swap rules out 1 + 36 permutations."""
    assert [bound(distance) for distance in (9, 8, 7, 6)] == [9, 72, 504, 3024]
    assert always_found(3) == -(-362_880 // 37)
    with pytest.raises(TooFewPermutations, match="at most 9 "):
        min_distance(10, 9, 0)


def test_impossible_sets_are_refused_before_anything_runs() -> None:
    with pytest.raises(BadConfig, match="at most 72: no more differ in at least 8 slots, got 701"):
        build_config("jigsaw_pp", "paper", {"distance": 8})
    with pytest.raises(BadConfig, match="distance must be more than intruders, got 3 and 3"):
        build_config("jigsaw_pp", "paper", {"intruders": 3})
    with pytest.raises(BadConfig, match="a random search finds"):
        build_config("jigsaw_pp", "small", {"distance": 8, "permutations": 72})
    with pytest.raises(BadConfig, match="multiple of three"):
        build_config("jigsaw", "small", {"crop": 158})
    with pytest.raises(BadConfig, match="fit into a cell of 53 px"):
        build_config("jigsaw", "small", {"tile": 52})
    assert build_config("jigsaw_pp", "paper", {"distance": 7, "permutations": 9, "intruders": 6}).labels == "none"
