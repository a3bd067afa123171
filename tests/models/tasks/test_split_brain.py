"""Split-brain: two halves that never meet, each told by the other's channels, and an encoder like any other."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.card import Card
from models.checkpoints import storage as checkpoints
from models.encoders import layers
from models.encoders.alexnet import AlexNet
from models.encoders.split import SplitAlexNet
from models.network import Network
from models.preprocessing import normalise
from models.recipes import build_config
from models.recipes.base import BadConfig
from models.recipes.split_brain import SplitBrainConfig
from models.seeds import generator
from models.tasks.base import Epoch
from models.tasks.split_brain import SplitBrain
from models.training.batches import ResidentRegions

TINY: dict[str, Any] = {"crop": 33, "region": 40, "hidden": 16, "flip": False}


def new_task(**changes: Any) -> SplitBrain:
    config = build_config("split_brain", "small", {**TINY, **changes})
    assert isinstance(config, SplitBrainConfig)
    return SplitBrain.build(config, generator(0))


def photos(count: int = 2) -> Tensor:
    return torch.randint(0, 256, (count, 3, 33, 33), generator=generator(1), dtype=torch.uint8)


def moved_by(task: SplitBrain, side: str) -> dict[str, Tensor]:
    """The gradients of one of the two losses."""
    views = task.views(photos(), generator(2))
    task.zero_grad()
    task.loss(task(views.inputs), views.target)[f"{side}_told"].backward()
    return {name: of.grad for name, of in task.named_parameters() if of.grad is not None}


def test_no_gradient_of_a_half_reaches_the_other() -> None:
    task = new_task()
    for side, own, head, other in (
        ("colours", slice(None, 32), "head.first", "head.second"),
        ("lightness", slice(32, None), "head.second", "head.first"),
    ):
        found = moved_by(task, side)
        assert any(of.abs().sum() > 0 for name, of in found.items() if name.startswith(head))
        assert not any(of.abs().sum() > 0 for name, of in found.items() if name.startswith(other))
        for name, of in found.items():
            if name.startswith("encoder.conv"):
                halves = of.chunk(2)
                mine, theirs = halves if side == "colours" else halves[::-1]
                assert mine.abs().sum() > 0 and theirs.abs().sum() == 0, name
        seen, unseen = (slice(0, 1), slice(1, 3)) if side == "colours" else (slice(1, 3), slice(0, 1))
        assert found["encoder.conv1.weight"][own, seen].abs().sum() > 0
        assert found["encoder.conv1.weight"][own, unseen].abs().sum() == 0


def test_what_a_half_tells_does_not_depend_on_what_it_has_to_tell() -> None:
    """Other colours under the same lightness: the same colours are told; and the other way round."""
    task = new_task().eval()
    with torch.no_grad():
        for channel, other in ((0, slice(261, None)), (1, slice(None, 261)), (2, slice(None, 261))):
            inputs = torch.randn(1, 3, 33, 33, generator=generator(3))
            before = task(inputs)
            inputs[:, channel] += 1
            changed = (task(inputs) - before).abs().sum(dim=(0, 2, 3))
            assert changed[other].sum() == 0
            assert changed.sum() > 0


def test_half_of_the_weights_of_an_undivided_network_take_part() -> None:
    """12 x L and 12 x ab of 24 conv1 filters are half of 24 x 3; a group of two sees half of what there was."""
    weights = [name for name, _ in SplitAlexNet().named_parameters() if name.startswith("conv") and "weight" in name]
    split, whole = SplitAlexNet(), AlexNet()
    part = sum(int((split.get_parameter(name) != 0).sum()) for name in weights)
    assert part * 2 == sum(whole.get_parameter(name).numel() for name in weights)


def test_first_filters_are_drawn_at_the_fan_in_of_their_half() -> None:
    """He: variance 2 / 121 over L, 2 / 242 over a and b, and nothing where a half does not look."""
    weight = SplitBrain.build(
        build_config("split_brain", "paper", {"hidden": 16}), generator(0)
    ).encoder.conv1.weight.detach()
    light, colours = weight[:48], weight[48:]
    assert float(light[:, :1].var()) == pytest.approx(2 / 121, rel=0.05)
    assert float(colours[:, 1:].var()) == pytest.approx(2 / 242, rel=0.05)
    assert light[:, 1:].abs().sum() == 0 and colours[:, :1].abs().sum() == 0


def test_it_begins_at_the_loss_of_guessing_261_and_50_classes() -> None:
    task = new_task()
    views = task.views(photos(), generator(2))
    assert views.target is not None
    with torch.no_grad():
        terms = task.loss(task(views.inputs), views.target)
    assert float(terms["colours_told"]) == pytest.approx(math.log(261), rel=0.02)
    assert float(terms["lightness_told"]) == pytest.approx(math.log(50), rel=0.02)
    assert task.chance()["loss"] == pytest.approx(math.log(261 * 50))


def test_classes_are_the_nearest_bin_of_ab_and_two_of_lightness() -> None:
    task = new_task()
    pixels = torch.tensor([[0.0, 0.0, 0.0], [1.99, 12.0, -9.0], [2.0, 0.0, 0.0], [100.0, 0.0, 0.0]])
    colours, light = task.classes(pixels)
    assert light.tolist() == [0, 0, 1, 49]
    assert task.colours[colours].tolist() == [[0, 0], [10, -10], [0, 0], [0, 0]]
    assert task.lightnesses[light].flatten().tolist() == [1, 1, 3, 99]


def test_guessing_is_by_the_shares_among_the_training_photos() -> None:
    """Three white photos and a black one: 562 milli-nats, and never infinitely surprised by a gray one."""
    task = new_task()
    shades = torch.tensor([255, 255, 255, 0], dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 33, 33)
    regions = ResidentRegions(shades.repeat(50, 1, 1, 1), torch.full((200,), 33))
    task.on_epoch_start(Epoch(0, regions, torch.optim.SGD(task.parameters(), lr=0.1), generator(0)))
    assert task.chance()["lightness_accuracy"] == pytest.approx(0.75)
    assert task.chance()["lightness_loss"] == pytest.approx(0.5623, abs=0.02)
    views = task.views(torch.full((1, 3, 33, 33), 128, dtype=torch.uint8), generator(1))
    measured = task.measure(torch.zeros(1, 311, 3, 3), views.target)
    assert 5 < float(measured["lightness_loss_of_prior"]) < 20
    other = new_task()
    other.adopt(task)
    assert other.chance() == task.chance()


def test_views_are_what_a_scan_shows_the_network() -> None:
    task = new_task()
    views = task.views(photos(), generator(2))
    torch.testing.assert_close(views.inputs, normalise(photos().float() / 255, task.preprocess()))


def test_its_layers_are_looked_at_like_any_networks() -> None:
    """The card builds the same network again, whose cells lie 16 pixels apart, the first over pixel 0."""
    task = new_task().eval()
    card: Card = checkpoints.describe(task, name="halves", recipe="small", config={})
    assert [(layer.name, layer.units) for layer in card.layers] == [
        (f"conv{place}", width) for place, width in enumerate((64, 192, 384, 256, 256), start=1)
    ]
    assert (card.layers[-1].stride, card.layers[-1].offset) == (16, 0.5)
    encoder, _ = checkpoints.build(card)
    encoder.load_state_dict(task.encoder.state_dict())
    network = Network(card, encoder, None, "cpu", torch.float32)
    with network.hooks(["conv1", "conv5"]) as seen, torch.no_grad():
        network.run_trunk(network.trunk_input(photos()))
    assert seen["conv1"].shape == (2, 64, 9, 9) and seen["conv5"].shape == (2, 256, 3, 3)
    assert layers(encoder, side=40)[0].units == 64


def test_the_first_layer_is_one_convolution_of_three_channels() -> None:
    """Where weights are zero a plain convolution does the same, so that exported weights can be used anywhere."""
    conv1 = new_task().encoder.conv1
    plain = nn.Conv2d(3, 64, 11, stride=4, padding=5)
    plain.load_state_dict(conv1.state_dict())
    inputs = torch.randn(2, 3, 33, 33, generator=generator(4))
    torch.testing.assert_close(conv1(inputs), plain(inputs), atol=1e-5, rtol=1e-4)


def test_hidden_is_shared_out_evenly() -> None:
    with pytest.raises(BadConfig, match="even"):
        build_config("split_brain", "small", {"hidden": 17})


def test_the_answer_is_in_the_colours_and_the_lightness_told() -> None:
    task = new_task().eval()
    views = task.views(torch.full((1, 3, 33, 33), 255, dtype=torch.uint8), generator(0))
    outputs = torch.full((1, 311, 3, 3), -50.0)
    outputs[0, int(torch.cdist(torch.tensor([[0.0, 0.0]]), task.colours).argmin())] = 50
    outputs[0, 261] = 50  # L = 1
    painted, truth, gray, white = (item.pixels.astype(int) for item in task.answer(outputs, views, 0).drawn)
    assert np.abs(painted - truth).max() <= 1
    assert gray.max() < 8 and white.min() > 250
