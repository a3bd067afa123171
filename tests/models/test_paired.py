"""Comparing two on the same images: exact tests by hand, intervals that hold what they should."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.paired import difference, estimated, mcnemar, share_right
from models.probes.average_precision import mean_ap


def hits(pattern: str) -> NDArray[np.bool_]:
    return np.array([letter == "1" for letter in pattern])


def test_mcnemar_by_hand() -> None:
    """Of ten disagreements one goes the other way: 2 (C(10,0) + C(10,1)) / 2^10 = 22 / 1024."""
    first, second = hits("1" * 9 + "0" + "1" * 40 + "0" * 30), hits("0" * 9 + "1" + "1" * 40 + "0" * 30)
    found = mcnemar(first, second)
    assert (found.first, found.second) == (9, 1)
    assert found.p == pytest.approx(22 / 1024)


def test_images_on_which_both_agree_say_nothing() -> None:
    assert mcnemar(hits("1100"), hits("1100")).p == 1.0
    assert mcnemar(hits("10"), hits("01")).p == 1.0


def test_two_that_are_the_same_differ_by_nothing() -> None:
    same = share_right(np.stack([hits("1101000111")] * 3))
    found = difference(same, same, 10)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)
    assert found.sign == 0


def test_pairing_finds_what_separate_intervals_hide() -> None:
    """The second loses 12 images of 200 and gains none: each alone is uncertain by 7 points."""
    first, second = hits("1" * 112 + "0" * 88), hits("1" * 100 + "0" * 100)
    found = difference(share_right(np.stack([first] * 3)), share_right(np.stack([second] * 3)), 200)
    assert found.value == pytest.approx(0.06)
    assert found.sign == 1 and 0.02 < found.low < 0.04 and 0.08 < found.high < 0.11


def test_seeds_that_disagree_widen_the_interval() -> None:
    steady = share_right(np.stack([hits("1" * 50 + "0" * 50)] * 3))
    shaky = share_right(np.stack([hits("1" * right + "0" * (100 - right)) for right in (20, 50, 80)]))
    zero = share_right(np.zeros((3, 100)))
    narrow, wide = difference(steady, zero, 100), difference(shaky, zero, 100)
    assert narrow.value == pytest.approx(wide.value) == pytest.approx(0.5)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_a_bootstrap_of_a_share_is_near_the_normal_interval() -> None:
    found = estimated(share_right(hits("1" * 300 + "0" * 700)[None]), 1000)
    half = 1.96 * (0.3 * 0.7 / 1000) ** 0.5
    assert found.value == pytest.approx(0.3)
    assert (found.low, found.high) == (pytest.approx(0.3 - half, abs=0.004), pytest.approx(0.3 + half, abs=0.004))


def test_average_precision_is_resampled_image_by_image() -> None:
    rng = np.random.default_rng(0)
    present = (rng.random((60, 2)) < 0.4).astype(np.int8)
    good, bad = present + rng.normal(0, 0.4, (60, 2)), rng.normal(size=(60, 2))
    first, second = (
        lambda weights, scores=scores: mean_ap(scores, present, weights)[:, None] for scores in (good, bad)
    )
    assert difference(first, second, 60).sign == 1
