"""Edge energy is a sum that can be done by hand, and adds up under every tiling."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.counting.picture_quantities import Gray, contrast, edge_energy, edge_map, gray_of, mean_intensity


def noise(height: int = 9, width: int = 12) -> Gray:
    return np.random.default_rng(0).random((height, width), dtype=np.float32)


def test_a_flat_picture_has_no_edges() -> None:
    assert edge_energy(np.full((5, 7), 0.4, dtype=np.float32)) == 0


def test_a_step_costs_its_height_in_every_row() -> None:
    gray = np.zeros((5, 8), dtype=np.float32)
    gray[:, 3:] = 0.5
    assert edge_energy(gray) == pytest.approx(5 * 0.5)
    assert np.flatnonzero(edge_map(gray)[0]).tolist() == [2], "a difference belongs to the pixel it starts from"
    assert np.flatnonzero(edge_map(gray.T)[:, 0]).tolist() == [2], "down as well as across"


def test_one_white_pixel_has_three_neighbours_that_see_it() -> None:
    """The pixel above and the one to the left see a step of 1, the pixel itself both ways: root 2."""
    gray = np.zeros((5, 5), dtype=np.float32)
    gray[2, 2] = 1
    assert edge_energy(gray) == pytest.approx(1 + 1 + np.sqrt(2))


@given(x=st.floats(0, 12), y=st.floats(0, 9))
def test_four_tiles_add_up_wherever_the_cross_lies(x: float, y: float) -> None:
    gray = noise()
    tiles = [(0, 0, x, y), (x, 0, 12, y), (0, y, x, 9), (x, y, 12, 9)]
    assert sum(edge_energy(gray, tile) for tile in tiles) == pytest.approx(edge_energy(gray))


def test_a_tile_cut_out_first_misses_only_the_differences_across_its_cut() -> None:
    gray = np.zeros((4, 8), dtype=np.float32)
    gray[:, 4:] = 1  # the step lies on the cut
    whole_neighbours, cut_out = edge_energy(gray, (0, 0, 4, 4)), edge_energy(gray[:, :4])
    assert (whole_neighbours, cut_out) == (4, 0)
    assert edge_energy(gray[:, 4:]) == edge_energy(gray, (4, 0, 8, 4)) == 0


def test_half_a_pixel_gives_half_its_energy() -> None:
    gray = np.zeros((1, 4), dtype=np.float32)
    gray[0, 2:] = 1
    assert edge_energy(gray, (1, 0, 1.5, 1)) == pytest.approx(0.5)


def test_more_edges_or_stronger_ones_have_more_energy() -> None:
    one, two = np.zeros((20, 20), dtype=np.float32), np.zeros((20, 20), dtype=np.float32)
    one[2:8, 2:8] = two[2:8, 2:8] = two[11:17, 11:17] = 1
    assert edge_energy(two) == pytest.approx(2 * edge_energy(one))
    assert edge_energy(0.5 * one) == pytest.approx(0.5 * edge_energy(one))


def test_intensity_and_contrast_of_half_black_half_white() -> None:
    gray = np.zeros((4, 4), dtype=np.float32)
    gray[:, 2:] = 1
    assert mean_intensity(gray) == 0.5 and contrast(gray) == 0.5
    assert mean_intensity(gray, (0, 0, 3, 4)) == pytest.approx(1 / 3)
    assert contrast(gray, (0, 0, 2, 4)) == 0


def test_a_box_outside_of_the_picture_holds_nothing() -> None:
    gray = noise()
    assert edge_energy(gray, (20, 20, 30, 30)) == 0 and mean_intensity(gray, (20, 20, 30, 30)) == 0


def test_a_stored_picture_is_read_as_its_luminance() -> None:
    colours = np.zeros((16, 32, 3), dtype=np.uint8)
    colours[:, 16:] = (0, 255, 0)
    stored = io.BytesIO()
    Image.fromarray(colours).save(stored, "JPEG", quality=95, subsampling=0)
    gray = gray_of(stored.getvalue())
    assert gray.shape == (16, 32) and gray.dtype == np.float32
    assert gray[:, :16].mean() == pytest.approx(0, abs=0.01)
    assert gray[:, 16:].mean() == pytest.approx(0.587, abs=0.01), "green's share of Rec. 601 luma"
