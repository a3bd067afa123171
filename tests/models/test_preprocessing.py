"""Pixels reach a network in the colours, the range and the size that it was trained on."""

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from models.card import Preprocess
from models.crops import trunk_square
from models.geometry import trunk_box
from models.preprocessing import lab, normalise


def how(**changes: object) -> Preprocess:
    return Preprocess(**{"crop": 4, "region": 4, "size": 4, "trunk_size": 4, "normalise": "mean_std"} | changes)  # type: ignore[arg-type]


PIXEL = torch.tensor([0.2, 0.4, 0.8]).view(1, 3, 1, 1).expand(1, 3, 2, 2)


def test_bgr_of_caffe_is_turned_around_and_reaches_255() -> None:
    found = normalise(PIXEL, how(colour="bgr", scale=255.0, mean=(100.0, 110.0, 120.0)))
    assert found[0, :, 0, 0].tolist() == pytest.approx([204 - 100, 102 - 110, 51 - 120], abs=1e-4)


def test_gray_is_one_channel() -> None:
    found = normalise(PIXEL, how(colour="gray", mean=(0.5,), std=(0.25,)))
    assert found.shape == (1, 1, 2, 2)
    assert float(found[0, 0, 0, 0]) == pytest.approx((0.299 * 0.2 + 0.587 * 0.4 + 0.114 * 0.8 - 0.5) / 0.25, abs=1e-5)


def test_lab_is_that_of_skimage() -> None:
    pixels = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    pixels[1] *= 0.1  # nearly black: the straight parts of both curves
    expected = np.stack([rgb2lab(image.permute(1, 2, 0).double().numpy()) for image in pixels]).transpose(0, 3, 1, 2)
    assert np.abs(lab(pixels).numpy() - expected).max() < 0.02
    assert normalise(pixels, how(colour="l", mean=(50.0,), std=(1.0,))).shape == (2, 1, 8, 8)


def test_the_middle_of_a_resized_square_is_taken_from_the_photo_itself() -> None:
    """256 px, the middle 224: of a 160 px photo that is the middle 140, enlarged."""
    assert trunk_box(200, 160, size=224, resize=256) == (30, 10, 170, 150)
    image = (
        torch.arange(160 * 200, dtype=torch.int32).remainder(251).to(torch.uint8).view(1, 160, 200).expand(3, -1, -1)
    )
    square, box, enlarged = trunk_square(image, how(size=224, trunk_size=224, resize=256))
    assert (square.shape, box, enlarged) == ((3, 224, 224), (30, 10, 170, 150), True)


def test_a_network_for_tiny_pictures_sees_all_of_a_photo_made_small() -> None:
    square, box, enlarged = trunk_square(torch.zeros(3, 160, 200, dtype=torch.uint8), how(trunk_size=32, resize=32))
    assert (square.shape, box, enlarged) == ((3, 32, 32), (20, 0, 180, 160), False)


def test_without_resizing_the_middle_is_taken_at_native_size() -> None:
    assert trunk_box(200, 160, size=100) == (50, 30, 150, 130)
    assert trunk_box(200, 160, size=None) == (20, 0, 180, 160)


def test_what_somebody_drew_is_seen_whole() -> None:
    square, box, _ = trunk_square(torch.zeros(3, 80, 80, dtype=torch.uint8), how(trunk_size=32, resize=64), whole=True)
    assert (square.shape, box) == ((3, 32, 32), (0, 0, 80, 80))
