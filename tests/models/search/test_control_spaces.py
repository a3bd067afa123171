"""Raw pixels and colours: what a network has to beat, computed without one."""

import io

import numpy as np
import pytest
from PIL import Image

from models.search.control_spaces import control_spaces, control_vectors


def png(pixels: np.ndarray) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(sink, "PNG")
    return sink.getvalue()


def halves(left: object, right: object, side: int = 64) -> np.ndarray:
    pixels = np.zeros((side, side, 3))
    pixels[:, : side // 2], pixels[:, side // 2 :] = left, right
    return pixels


def test_pixels_are_sixteen_by_sixteen_minus_their_mean_and_of_length_one() -> None:
    vectors, part = control_vectors(png(halves(0, 200)))
    pixels = vectors["pixels"].reshape(16, 16, 3)
    assert part == (0, 0, 64, 64)
    assert pixels[:, :8] == pytest.approx(-1 / np.sqrt(768), abs=1e-6)
    assert pixels[:, 8:] == pytest.approx(1 / np.sqrt(768), abs=1e-6)


def test_colours_are_the_roots_of_the_shares() -> None:
    vectors, _ = control_vectors(png(halves((255, 0, 0), (0, 0, 255))))
    filled = vectors["colours"][vectors["colours"] > 0]
    assert filled == pytest.approx([np.sqrt(0.5)] * 2)


def test_colours_do_not_see_where_things_are_and_pixels_do() -> None:
    one, other = (control_vectors(png(halves(*sides)))[0] for sides in ((0, 200), (200, 0)))
    assert np.linalg.norm(one["colours"] - other["colours"]) == 0
    assert np.linalg.norm(one["pixels"] - other["pixels"]) == pytest.approx(2)


def test_a_flat_image_has_no_pixels_to_compare() -> None:
    assert not control_vectors(png(halves(90, 90)))[0]["pixels"].any()


def test_a_box_is_looked_at_alone_and_clipped() -> None:
    image = png(halves(0, (255, 0, 0)))
    vectors, part = control_vectors(image, (32, 0, 900, 64))
    assert part == (32, 0, 64, 64)
    assert vectors["colours"].max() == 1
    with pytest.raises(ValueError, match="less than a pixel"):
        control_vectors(image, (70, 0, 80, 10))


def test_of_no_images_there_are_no_rows() -> None:
    assert {space: vectors.shape for space, vectors in control_spaces([]).items()} == {
        "pixels": (0, 768),
        "colours": (0, 256),
    }
