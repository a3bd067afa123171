"""First-layer filters: numbers that can be checked by hand, and pictures that mean what their caption says."""

import io

import numpy as np
import pytest
from PIL import Image

from models.filters.measures import FilterMeasures, Filters, measure, noise_medians, order, smoothness
from models.filters.pictures import common_limit, grid, pixels, png

SIDE = 11


def noise(units: int = 400, seed: int = 1) -> Filters:
    return np.random.default_rng(seed).standard_normal((units, 3, SIDE, SIDE), dtype=np.float32)


def grating(degrees: float, cycles: float = 0.15) -> Filters:
    """Gray bars that run at `degrees`, counter-clockwise from horizontal."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    along = np.deg2rad(degrees)
    # Rows grow downwards: the normal of bars at angle a is (sin a, cos a) in (x, y down).
    wave = np.sin(2 * np.pi * cycles * (x * np.sin(along) + y * np.cos(along)))
    return np.repeat(wave[None, None].astype(np.float32), 3, axis=1)


def one(filters: Filters) -> FilterMeasures:
    return measure(filters)


def test_white_noise_has_the_values_of_the_theory() -> None:
    measured = measure(noise())
    assert measured.tv_ratio.mean() == pytest.approx(np.sqrt(2), abs=0.01)
    assert measured.tv_ratio.std() == pytest.approx(0.04, abs=0.01)
    assert measured.autocorrelation.mean() == pytest.approx(-0.007, abs=0.006)
    assert measured.autocorrelation.std() == pytest.approx(0.038, abs=0.015)
    assert measured.low_frequency_share.mean() == pytest.approx(20 / 120, abs=0.006)
    assert measured.low_frequency_share.std() == pytest.approx(0.027, abs=0.008)
    assert measured.colourfulness.mean() == pytest.approx(2 / 3, abs=0.01)


def test_a_flat_colour_is_perfectly_smooth() -> None:
    flat = np.ones((1, 3, SIDE, SIDE), dtype=np.float32) * np.array([1, -1, 0], dtype=np.float32)[None, :, None, None]
    measured = one(flat)
    assert (measured.tv_ratio[0], measured.autocorrelation[0], measured.low_frequency_share[0]) == (0, 1, 1)
    assert measured.colourfulness[0] == 1 and measured.orientation_energy[0] == 0


def test_a_ramp_has_the_ratio_computed_by_hand() -> None:
    ramp = np.array([[0, 1, 2]] * 3, dtype=np.float32)[None, None]  # 6 steps of 1 across, 6 of 0 down; |w - 1| = 2/3
    measured = one(ramp)
    assert measured.tv_ratio[0] == pytest.approx(0.5 / (2 / 3))
    assert measured.autocorrelation[0] == pytest.approx((4 / 12) / (2 / 3))  # across 0, down 4 products of 1 of 12
    assert measured.norm[0] == pytest.approx(np.sqrt(15))


def test_a_zero_filter_is_measured_without_a_warning() -> None:
    measured = one(np.zeros((1, 3, SIDE, SIDE), dtype=np.float32))
    assert measured.norm[0] == 0 and measured.colourfulness[0] == 0
    assert all(np.isfinite(values).all() for values in (measured.tv_ratio, measured.orientation))


@pytest.mark.parametrize("degrees", [0.0, 30.0, 45.0, 90.0, 135.0, 170.0])
def test_bars_are_found_at_their_own_angle(degrees: float) -> None:
    measured = one(grating(degrees))
    apart = abs(measured.orientation[0] - degrees)
    assert min(apart, 180 - apart) < 4
    assert measured.orientation_energy[0] > 0.95
    assert measured.colourfulness[0] == pytest.approx(0, abs=1e-9)


def test_opposite_colours_are_all_chroma_and_gray_is_none() -> None:
    opponent = np.zeros((2, 3, SIDE, SIDE), dtype=np.float32)
    opponent[0, 0], opponent[0, 1] = 1, -1
    opponent[1] = 1
    assert one(opponent).colourfulness.tolist() == [1, 0]


def test_measures_do_not_change_with_the_strength_of_a_filter() -> None:
    filters = noise(8)
    weak, strong = measure(filters), measure(filters * np.float32(1000))
    for name in ("colourfulness", "orientation", "orientation_energy", "tv_ratio", "autocorrelation"):
        np.testing.assert_allclose(getattr(weak, name), getattr(strong, name), rtol=1e-4)


def test_noise_is_said_to_be_rough_and_smooth_filters_to_be_smooth() -> None:
    reference = noise_medians((96, 3, SIDE, SIDE))
    rough = smoothness(measure(noise(96)), reference, side=SIDE)
    assert not rough.smoother and rough.smooth_filters == 0
    assert "not clearly smoother" in rough.sentence and "0 of 96" in rough.sentence
    smooth = smoothness(
        measure(np.concatenate([grating(angle, 0.08) for angle in range(0, 180, 20)])), reference, side=11
    )
    assert smooth.smoother and "9 of 9" in smooth.sentence and "smoother than noise" in smooth.sentence
    assert "do not tell" in smoothness(measure(noise(96)[..., :3, :3]), reference, side=3).sentence


def test_the_order_puts_the_strongest_and_the_smoothest_first() -> None:
    filters = np.concatenate([noise(1), grating(45) * np.float32(50), noise(1, seed=2) * np.float32(0.1)])
    measured = measure(filters)
    assert order(measured, "norm") == [1, 0, 2]
    assert order(measured, "tv_ratio")[0] == 1
    assert order(measured, "filter") == [0, 1, 2]


def test_a_wrong_shape_says_what_was_expected() -> None:
    with pytest.raises(ValueError, match=r"units, channels, height, width"):
        measure(np.zeros((3, 5), dtype=np.float32))


def test_gray_means_zero_on_both_scales() -> None:
    filters = np.zeros((2, 3, 2, 2), dtype=np.float32)
    filters[0, :, 0, 0], filters[1, :, 0, 0] = 1, 0.1
    assert pixels(filters, "common", limit=1)[:, 1, 1, 0].tolist() == [128, 128]
    assert pixels(filters, "own")[:, 1, 1, 0].tolist() == [128, 128]


def test_one_scale_keeps_a_weak_filter_pale_and_its_own_scale_does_not() -> None:
    filters = np.zeros((2, 3, 2, 2), dtype=np.float32)
    filters[0, :, 0, 0], filters[1, :, 0, 0] = 1, 0.1
    assert pixels(filters, "common", limit=1)[:, 0, 0, 0].tolist() == [255, 140]
    assert pixels(filters, "own")[:, 0, 0, 0].tolist() == [255, 255]


def test_panels_drawn_with_one_limit_are_comparable() -> None:
    weak = noise(4) * np.float32(0.5)
    shared = common_limit(noise(4), weak)
    assert shared == pytest.approx(common_limit(noise(4)), rel=0.05)
    assert np.abs(pixels(weak, "common", limit=shared).astype(int) - 128).max() < 100


def test_the_grid_is_a_picture_of_every_filter_in_the_asked_order() -> None:
    tiles = np.zeros((3, 2, 2, 3), dtype=np.uint8)
    tiles[:, :, :, 0] = np.array([10, 20, 30])[:, None, None]
    picture = Image.open(io.BytesIO(png(grid(tiles, order=[2, 0, 1], columns=3, zoom=2))))
    assert picture.size == (3 * 5 + 1, 5 + 1)
    assert [picture.getpixel((2 + 5 * column, 2)) for column in range(3)] == [(30, 0, 0), (10, 0, 0), (20, 0, 0)]
    assert picture.getpixel((0, 0)) == (255, 255, 255)


def test_layers_without_three_channels_are_drawn_in_gray() -> None:
    drawn = pixels(np.random.default_rng(0).standard_normal((2, 5, 4, 4)).astype(np.float32), "own")
    assert (drawn[..., 0] == drawn[..., 1]).all() and (drawn[..., 1] == drawn[..., 2]).all()


def test_filters_over_lab_are_drawn_in_false_colours() -> None:
    """L alone is gray; +a is magenta, -a green, +b yellow, -b blue; nothing at all is the middle gray."""
    filters = np.zeros((6, 3, 1, 1), dtype=np.float32)
    for unit, (channel, value) in enumerate([(0, 1), (1, 1), (1, -1), (2, 1), (2, -1)]):
        filters[unit, channel] = value
    red, green, blue = pixels(filters, "common", limit=1.0, colour="lab")[:, 0, 0].T.astype(int)
    assert red[0] == green[0] == blue[0] == 255
    assert (red[1], green[1], blue[1]) == (230, 26, 230) and (red[2], green[2], blue[2]) == (26, 230, 26)
    assert (red[3], green[3], blue[3]) == (230, 230, 26) and (red[4], green[4], blue[4]) == (26, 26, 230)
    assert red[5] == green[5] == blue[5] == 128


def test_colourfulness_over_lab_is_the_share_of_a_and_b() -> None:
    filters = noise(3)
    filters[0, 1:] = 0
    filters[1, 0] = 0
    found = measure(filters, "lab").colourfulness
    assert found[0] == 0 and found[1] == 1 and 0.5 < found[2] < 0.8


def test_weights_that_a_half_does_not_have_do_not_change_the_common_scale() -> None:
    filters = noise(100)
    halves = filters.copy()
    halves[50:, 0] = 0
    halves[:50, 1:] = 0
    assert common_limit(halves) == pytest.approx(common_limit(filters), rel=0.05)


def test_filters_of_bgr_are_drawn_in_their_own_colours() -> None:
    blue = np.zeros((1, 3, 1, 1), dtype=np.float32)
    blue[0, 0] = 1
    assert pixels(blue, "common", limit=1.0, colour="bgr")[0, 0, 0].tolist() == [128, 128, 255]
