"""Correlations of which it is known what is left of them."""

import numpy as np
import pytest

from models.counting.partial import rank_correlations

RNG = np.random.default_rng(0)
NUMBER, AREA = RNG.normal(size=(2, 4000))
EDGES = NUMBER + AREA + 0.5 * RNG.normal(size=4000)  # what objects bring along
PREDICTORS = {"number": NUMBER, "area": AREA, "edges": EDGES}


def column(values: np.ndarray) -> dict[str, tuple[float, float]]:
    (found,) = rank_correlations(values[:, None], PREDICTORS)
    assert all(one.alone is not None and one.partial is not None for one in found.values())
    return {name: (one.alone.value, one.partial.value) for name, one in found.items()}  # type: ignore[union-attr]


def test_what_counts_keeps_number_and_loses_edges() -> None:
    found = column(NUMBER + 0.5 * RNG.normal(size=4000))
    assert found["number"][1] > 0.65
    assert found["edges"][0] > 0.5, "alone, edges go along with number"
    assert found["edges"][1] == pytest.approx(0, abs=0.05), "with number and area held they say nothing more"


def test_what_measures_edges_keeps_edges_and_loses_number() -> None:
    found = column(EDGES + 0.2 * RNG.normal(size=4000))
    assert found["number"][0] > 0.5 and found["number"][1] == pytest.approx(0, abs=0.1)
    assert found["edges"][1] > 0.7


def test_two_predictors_by_the_textbook() -> None:
    """(r_xy - r_xz r_yz) / sqrt((1 - r_xz^2)(1 - r_yz^2)), on five points that are their own ranks."""
    value, first, second = (
        np.array(numbers, dtype=float) for numbers in ([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], [1, 3, 2, 5, 4])
    )
    (found,) = rank_correlations(value[:, None], {"first": first, "second": second})
    xy, xz, yz = (np.corrcoef(pair)[0, 1] for pair in ((value, first), (value, second), (first, second)))
    assert found["first"].alone is not None and found["first"].alone.value == pytest.approx(xy) == pytest.approx(0.8)
    partial = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert found["first"].partial is not None and found["first"].partial.value == pytest.approx(partial)


def test_only_the_order_counts() -> None:
    (found,) = rank_correlations(np.exp(3 * NUMBER)[:, None], {"number": NUMBER})
    assert found["number"].alone is not None and found["number"].alone.value == pytest.approx(1)


def test_what_is_a_predictor_itself_leaves_nothing_to_hold_fixed() -> None:
    (found,) = rank_correlations(NUMBER[:, None], PREDICTORS)
    assert found["number"].alone is not None and found["number"].partial is None


def test_a_silent_unit_follows_nothing_and_breaks_nothing() -> None:
    (found,) = rank_correlations(np.zeros((4000, 1)), PREDICTORS)
    assert all(one.alone is None and one.partial is None for one in found.values())


def test_a_predictor_that_never_moves_leaves_the_others_as_they_are() -> None:
    with_constant = {"number": NUMBER, "area": AREA, "flat": np.ones(4000)}
    (found,) = rank_correlations((NUMBER + AREA)[:, None], with_constant)
    (without,) = rank_correlations((NUMBER + AREA)[:, None], {"number": NUMBER, "area": AREA})
    assert found["flat"].alone is None and found["number"].partial is not None and without["number"].partial is not None
    assert found["number"].partial.value == pytest.approx(without["number"].partial.value)


def test_the_interval_is_that_of_fishers_z() -> None:
    """r = 0 and n = 4000, nothing held: 1.96 x 1.03 / sqrt(3997) = .0319."""
    (found,) = rank_correlations(RNG.normal(size=(4000, 1)), {"number": NUMBER})
    alone = found["number"].alone
    assert alone is not None and alone.high - alone.value == pytest.approx(0.0319, abs=0.0005)
