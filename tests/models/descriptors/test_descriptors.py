"""Descriptors: nothing learned, gradients in the right bin, light does not matter."""

import io

import numpy as np
import pytest
from PIL import Image

from models.card import WEIGHTS, read_card
from models.descriptors import DESCRIPTORS
from models.descriptors.files import descriptor_of, write
from models.descriptors.hog import Hog, HogSettings


def jpeg(pixels: np.ndarray) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, "JPEG", quality=95, subsampling=0)
    return sink.getvalue()


def edge(angle: float, side: int = 128) -> np.ndarray:
    """A step whose gradient points at `angle` degrees from the x axis, y downwards."""
    rows, columns = np.mgrid[:side, :side] - side / 2
    along = columns * np.cos(np.deg2rad(angle)) + rows * np.sin(np.deg2rad(angle))
    return 0.2 + 0.6 / (1 + np.exp(-along))


# Bin i holds [20 i, 20 i + 20) degrees of the gradient: a vertical edge has a horizontal gradient, 0 degrees.
@pytest.mark.parametrize(("angle", "wanted"), [(0, 0), (180, 0), (90, 4), (50, 2), (130, 6), (170, 8)])
def test_an_edge_peaks_in_the_bin_of_its_gradient(angle: float, wanted: int) -> None:
    strength = Hog().glyph(Hog().of_gray(edge(angle))).sum(axis=(0, 1))
    assert int(strength.argmax()) == wanted
    assert strength[wanted] > 5 * np.delete(strength, [wanted, (wanted + 1) % 9, (wanted - 1) % 9]).max()


def test_light_does_not_change_it() -> None:
    gray = np.random.default_rng(0).random((128, 128)) * 0.5
    assert Hog().of_gray(gray + 0.3) == pytest.approx(Hog().of_gray(gray), abs=1e-3)


def test_a_flat_image_has_no_orientation() -> None:
    assert not Hog().of_gray(np.full((128, 128), 0.5)).any()


def test_the_glyph_of_a_corner_cell_is_its_only_block() -> None:
    hog = Hog(HogSettings(side=64, cell=16))  # 4x4 cells, 3x3 blocks
    found = np.random.default_rng(1).random(hog.units).astype(np.float32)
    blocks = found.reshape(3, 3, 2, 2, 9)
    assert hog.units == 324
    assert hog.glyph(found)[0, 0] == pytest.approx(blocks[0, 0, 0, 0])
    assert hog.glyph(found)[1, 1] == pytest.approx(
        (blocks[0, 0, 1, 1] + blocks[0, 1, 1, 0] + blocks[1, 0, 0, 1] + blocks[1, 1, 0, 0]) / 4, abs=1e-6
    )


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_a_descriptor_is_a_checkpoint_without_weights(name: str, tmp_path: object) -> None:
    made = DESCRIPTORS[name]()
    card = write(tmp_path, made)  # type: ignore[arg-type]
    assert read_card(tmp_path) == card and card.layers[0].units == made.units  # type: ignore[arg-type]
    assert card.provenance["learned_weights"] == 0
    assert (tmp_path / WEIGHTS).stat().st_size < 400  # type: ignore[operator]
    again = descriptor_of(card)
    assert again is not None and again.settings == made.settings
    picture = jpeg(np.random.default_rng(2).integers(0, 255, (90, 140, 3)).astype(np.uint8))
    vector, seen = made.describe(picture)
    assert vector.shape == (made.units,) and seen == (25, 0, 115, 90)
    assert np.array_equal(vector, again.describe(picture)[0])


def test_a_colour_histogram_of_one_colour_is_one_bin() -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 255
    found, _ = DESCRIPTORS["colour-histogram"]().describe(jpeg(red))
    assert found.max() == pytest.approx(1, abs=0.01) and (found > 0.1).sum() == 1
