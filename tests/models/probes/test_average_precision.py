"""Average precision has the values that can be worked out by hand."""

import numpy as np
import pytest

from models.probes.average_precision import IGNORED, mean_ap, weighted


def ap(scores: list[float], present: list[int]) -> float | None:
    """With every image counted once; None where no image has the class."""
    (found,) = weighted(np.array(scores), np.array(present, dtype=np.int8), np.ones((1, len(scores))))
    return None if np.isnan(found) else float(found)


def test_a_perfect_ranking_has_one() -> None:
    assert ap([9, 8, 7, 2, 1], [1, 1, 1, 0, 0]) == 1.0


def test_constant_scores_have_the_prevalence_in_any_order() -> None:
    assert ap([3] * 8, [1, 0, 0, 1, 0, 0, 0, 0]) == 0.25
    assert ap([3] * 8, [0, 0, 0, 0, 0, 0, 1, 1]) == 0.25


def test_a_ranking_worked_out_by_hand() -> None:
    assert ap([4, 3, 2, 1], [1, 0, 1, 0]) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert ap([4, 3, 2, 1], [0, 0, 0, 1]) == 0.25


def test_images_that_are_ignored_count_neither_way() -> None:
    """Without the ignored image at the top the ranking is perfect; counted wrong it would have 1/2."""
    assert ap([9, 8, 7], [IGNORED, 1, 0]) == 1.0


def test_a_class_that_nobody_shows_has_none() -> None:
    assert ap([1, 2], [0, 0]) is None
    assert ap([1, 2], [IGNORED, IGNORED]) is None


def test_counting_an_image_twice_is_having_it_twice() -> None:
    rng = np.random.default_rng(0)
    scores, present = rng.normal(size=12).round(1), (rng.random(12) < 0.4).astype(np.int8)
    times = rng.integers(0, 3, 12)
    found = weighted(scores, present, times[None])[0]
    assert found == pytest.approx(ap(list(np.repeat(scores, times)), list(np.repeat(present, times))))


def test_the_mean_leaves_out_classes_without_an_image() -> None:
    scores = np.array([[2.0, 5.0, 1.0], [1.0, 4.0, 2.0]])
    present = np.array([[1, 0, 0], [0, 1, 0]], dtype=np.int8)
    assert mean_ap(scores, present, np.ones((1, 2)))[0] == pytest.approx((1.0 + 0.5) / 2)
