"""Diagnostics of count vectors give the numbers that can be worked out by hand."""

import numpy as np
import pytest

from models.counting.diagnostics import brightness, crop_growth, unit_difference
from models.statistics import ranks, spearman


def test_ties_share_their_mean_rank() -> None:
    assert ranks(np.array([5.0, 1.0, 5.0, 9.0])).tolist() == [1.5, 0.0, 1.5, 3.0]


def test_rank_correlation_ignores_the_scale() -> None:
    x = np.arange(10.0)
    assert spearman(x, np.exp(x)) == pytest.approx(1)
    assert spearman(x, -x) == pytest.approx(-1)
    assert spearman(x, np.ones(10)) is None


def test_a_network_that_measures_light_is_found_out() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (20, 3, 1, 1), dtype=np.uint8).repeat(4, 2).repeat(4, 3)
    light = crops.mean(axis=(1, 2, 3))
    assert brightness(light, crops)["magnitude_and_intensity"]["value"] == pytest.approx(1)


def test_units_with_other_top_images_do_not_overlap() -> None:
    counts = np.zeros((40, 2))
    counts[:8, 0] = counts[20:28, 1] = 5.0
    found = unit_difference(counts)
    assert found["top8_over_mean"]["value"] == pytest.approx(5)  # 8 of 40 fire, each at 5: the mean is 1
    assert found["top8_overlap"]["value"] == 0
    assert unit_difference(np.repeat(counts[:, :1], 2, axis=1))["top8_overlap"]["value"] == 1


def test_a_growing_curve_has_rank_correlation_one() -> None:
    areas = np.linspace(0.5, 0.95, 10)
    found = crop_growth(np.tile(areas * 4, (3, 1)), np.tile(1 - areas, (3, 1)), areas)
    assert found["crop_curve_high"]["value"] == pytest.approx(1)
    assert found["crop_slope_high"]["value"] == pytest.approx(4)
    assert found["crop_curve_low"]["value"] == pytest.approx(-1)
