"""The part of a receptive field that matters: against filters whose answer is known."""

from typing import Any

import numpy as np
import torch
from torch import nn

from models.card import LayerCard
from models.scans.effective_fields import FiringCell, LayerGradient, blur, half_maximum

LAYER = LayerCard("conv1", 2, "conv", "1", stride=2, receptive_field=11, offset=5.5)


def block_reader(top: int, left: int) -> nn.Sequential:
    """Unit 0 reads 3x3 pixels of its 11x11 field, unit 1 nothing."""
    conv = nn.Conv2d(3, 2, 11, stride=2)
    with torch.no_grad():
        conv.weight.zero_()
        assert conv.bias is not None
        conv.bias.fill_(1.0)
        conv.weight[0, :, top : top + 3, left : left + 3] = 0.5
    return nn.Sequential(conv, nn.ReLU())


def regions(encoder: nn.Module, *cells: tuple[int, int]) -> Any:
    layer = LayerGradient(encoder, LAYER, torch.device("cpu"))
    for y, x in cells:
        layer.add(torch.rand(3, 31, 31), FiringCell("conv1", 0, y, x))
    return layer.boxes()


def test_a_unit_that_reads_a_block_has_that_block_as_its_region() -> None:
    boxes = regions(block_reader(top=2, left=6), (3, 4))
    assert boxes[0].tolist() == [6 - 5.5, 2 - 5.5, 9 - 5.5, 5 - 5.5]


def test_a_unit_that_nothing_fires_has_no_region() -> None:
    assert np.isnan(regions(block_reader(2, 6), (3, 4))[1]).all()


def test_pixels_outside_of_the_image_are_not_counted_as_silent() -> None:
    padded = LayerCard("conv1", 2, "conv", "1", stride=2, receptive_field=11, offset=0.5)
    layer = LayerGradient(block_reader(4, 4), padded, torch.device("cpu"))
    layer.add(torch.rand(3, 31, 31), FiringCell("conv1", 0, 0, 0))  # its field begins five pixels before the image
    layer.add(torch.rand(3, 31, 31), FiringCell("conv1", 0, 7, 7))
    assert layer.boxes()[0].tolist() == [4 - 5.5, 4 - 5.5, 7 - 5.5, 7 - 5.5]


def test_half_of_the_maximum_is_inside_and_less_is_not() -> None:
    maps = np.zeros((1, 5, 5), dtype=np.float32)
    maps[0, 2, 1:4] = (0.5, 1.0, 0.49)
    assert half_maximum(maps).tolist() == [[1 - 2.5, 2 - 2.5, 3 - 2.5, 3 - 2.5]]


def test_blurring_keeps_the_sum() -> None:
    maps = torch.zeros(1, 21, 21)
    maps[0, 10, 10] = 3.0
    blurred = blur(maps, 2.0)
    assert abs(float(blurred.sum()) - 3.0) < 1e-3 and int(blurred.argmax()) == 10 * 21 + 10
