"""A count that follows the number of things is found out, and so is one that only seems to."""

from pathlib import Path

import numpy as np
import pytest

from models.card import Preprocess
from models.counting.truth_numbers import best_unit, number_correlations, numbers
from tests.models.packing import pack_of


def test_a_unit_that_counts_is_found_and_judged_on_the_other_half() -> None:
    rng = np.random.default_rng(0)
    number = rng.integers(0, 10, 200).astype(float)
    counts = rng.gamma(1.0, 1.0, (200, 30))
    counts[:, 7] = number**2 + 1
    found = number_correlations(counts, number)
    assert found["unit_and_number"]["unit"] == 7
    assert found["unit_and_number"]["value"] == pytest.approx(1)
    assert found["unit_and_number"]["n"] == 100
    assert found["total_and_number"]["n"] == 200


def test_the_best_of_many_units_that_know_nothing_is_worth_nothing_on_the_other_half() -> None:
    """On the half that it was chosen on, the best of 300 reaches .28, which would look like counting."""
    rng = np.random.default_rng(1)
    number, counts = rng.integers(0, 10, 200).astype(float), rng.gamma(1.0, 1.0, (200, 300))
    low, high = number_correlations(counts, number)["unit_and_number"]["interval"]
    assert low < 0 < high


def test_where_nothing_fires_or_nothing_varies_no_unit_is_best() -> None:
    assert best_unit(np.zeros((10, 3)), np.arange(10.0)) is None
    assert best_unit(np.ones((10, 3)), np.arange(10.0)) is None
    assert "unit_and_number" not in number_correlations(np.zeros((10, 3)), np.arange(10.0))


def test_the_sign_is_kept() -> None:
    number = np.arange(40.0)
    assert number_correlations(40 - number[:, None], number)["unit_and_number"]["value"] == pytest.approx(-1)


def test_images_of_which_nobody_knows_the_number_are_left_out(tmp_path: Path) -> None:
    pack = pack_of(tmp_path, 5, counts=lambda row: None if row % 2 else {"coin": row, "wheel": 1})
    places, known = numbers(pack, range(5), Preprocess(64, 80, 32, None, "per_crop"))
    assert (places.tolist(), known.tolist()) == ([0, 2, 4], [1, 3, 5])
