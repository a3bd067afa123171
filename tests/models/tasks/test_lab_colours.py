"""Colours as L, a, b, the bins of the sRGB gamut, their soft code and their weights."""

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb

from models.preprocessing import lab
from models.tasks.lab_colours import GRID, ab_bins, annealed_mean, rebalancing, smoothed, soft_code, to_rgb

PIXELS = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def test_red_has_the_textbooks_coordinates_and_colours_come_back() -> None:
    red = lab(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)).flatten()
    torch.testing.assert_close(red, torch.tensor([53.24, 80.09, 67.20]), atol=0.02, rtol=0)
    torch.testing.assert_close(to_rgb(lab(PIXELS)), PIXELS, atol=1e-4, rtol=0)


def test_the_way_back_is_that_of_skimage() -> None:
    colours = lab(PIXELS)
    expected = np.stack([lab2rgb(image.permute(1, 2, 0).double().numpy()) for image in colours]).transpose(0, 3, 1, 2)
    assert np.abs(to_rgb(colours).numpy() - expected).max() < 1e-3


def test_every_colour_of_srgb_has_a_bin_within_its_cell() -> None:
    """Rounded to the grid, any colour is one of the bins; gray is the bin at 0."""
    centres = ab_bins()
    colours = lab(PIXELS)[:, 1:].permute(0, 2, 3, 1).reshape(-1, 2)
    assert torch.cdist(colours, centres).amin(dim=1).max() <= GRID / 2 * 2**0.5
    assert (centres == 0).all(dim=1).any()
    assert len(centres) == 261


def test_a_soft_code_sums_to_one_and_is_largest_at_the_nearest_bin() -> None:
    centres = ab_bins()
    for neighbours in (5, 10):
        places, weights = soft_code(torch.tensor([[11.0, -9.0]]), centres, neighbours)
        assert places.shape == (1, neighbours) and (weights > 0).all()
        assert float(weights.sum()) == pytest.approx(1, abs=1e-6)
        assert centres[places[0, 0]].tolist() == [10.0, -10.0] and int(weights.argmax()) == 0


def test_two_bins_a_grid_apart_differ_by_e_to_the_second_power() -> None:
    """On a bin's centre the next is 10 away: exp(-100 / 50) of its weight."""
    _, weights = soft_code(torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 0.0], [10.0, 0.0]]), 2)
    assert float(weights[0, 1] / weights[0, 0]) == pytest.approx(np.exp(-2), rel=1e-5)


def test_smoothing_lends_to_neighbours_and_keeps_the_uniform() -> None:
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [90.0, 0.0]])
    found = smoothed(torch.tensor([1.0, 0.0, 0.0]), centres)
    lent = float(np.exp(-2))  # means are 1 / (1 + e^-2) and e^-2 / (1 + e^-2), which sum to 1
    assert found.tolist() == pytest.approx([1 / (1 + lent), lent / (1 + lent), 0], abs=1e-6)
    assert smoothed(torch.full((3,), 1 / 3), centres).tolist() == pytest.approx([1 / 3] * 3)


def test_weights_of_two_bins_are_those_worked_out_by_hand() -> None:
    """p = .9, .1: 1 / (.45 + .25) and 1 / (.05 + .25), whose mean under p is 1.619."""
    shares = torch.tensor([0.9, 0.1])
    weights = rebalancing(shares)
    torch.testing.assert_close(weights, torch.tensor([0.88235, 2.05882]), atol=1e-4, rtol=0)
    assert float((shares * weights).sum()) == pytest.approx(1, abs=1e-6)


def test_the_annealed_mean_lies_between_mean_and_mode() -> None:
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0]])
    logits = torch.tensor([0.25, 0.75]).log()
    assert float(annealed_mean(logits, centres, 1.0)[0]) == pytest.approx(7.5, abs=1e-4)
    assert 9.4 < float(annealed_mean(logits, centres)[0]) < 9.5  # 3^(1/.38) = 18.0 to 1
