"""Colours as L, a, b, the bins of the sRGB gamut, their soft code and their weights."""

import torch

from models.tasks.lab import ab_bins, annealed_mean, rebalancing, soft_code, to_lab, to_rgb


def test_red_has_the_textbooks_coordinates_and_colours_come_back() -> None:
    red = to_lab(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)).flatten()
    torch.testing.assert_close(red, torch.tensor([53.24, 80.09, 67.20]), atol=0.02, rtol=0)
    pixels = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(to_rgb(to_lab(pixels)), pixels, atol=1e-4, rtol=0)


def test_a_soft_code_sums_to_one_and_is_largest_at_the_nearest_bin() -> None:
    centres = ab_bins()
    for neighbours in (5, 10):
        places, weights = soft_code(torch.tensor([[11.0, -9.0]]), centres, neighbours)
        assert places.shape == (1, neighbours)
        assert abs(float(weights.sum()) - 1) < 1e-6
        assert centres[places[0, weights.argmax()]].tolist() == [10.0, -10.0]


def test_weights_of_two_bins_are_those_worked_out_by_hand() -> None:
    # p = .9, .1: 1 / (.45 + .25) and 1 / (.05 + .25), whose mean under p is 1.619
    shares = torch.tensor([0.9, 0.1])
    weights = rebalancing(shares)
    torch.testing.assert_close(weights, torch.tensor([0.88235, 2.05882]), atol=1e-4, rtol=0)
    assert abs(float((shares * weights).sum()) - 1) < 1e-6


def test_the_annealed_mean_lies_between_mean_and_mode() -> None:
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0]])
    logits = torch.tensor([0.25, 0.75]).log()
    assert abs(float(annealed_mean(logits, centres, 1.0)[0]) - 7.5) < 1e-4
    assert 9.4 < float(annealed_mean(logits, centres)[0]) < 9.5  # 3^(1/.38) = 18.0 to 1
