"""Rotation: exact turns, all of them in every batch, and nothing that gives them away."""

import pytest
import torch

from models.recipes import build_config
from models.recipes.base import BadConfig
from models.recipes.rotation import RotationConfig
from models.seeds import generator
from models.tasks.rotation import Rotation, turns
from models.training.loop import FitConfig

CODED = torch.tensor([[1, 2], [3, 4]]).expand(1, 3, 2, 2)


def test_the_four_turns_of_a_coded_image_are_exact() -> None:
    """1 2 / 3 4, a quarter turn to the left each time."""
    found = turns(CODED)[0, :, 0].tolist()
    assert found == [[[1, 2], [3, 4]], [[2, 4], [1, 3]], [[4, 3], [2, 1]], [[3, 1], [4, 2]]]


def test_four_quarter_turns_are_no_turn() -> None:
    image = torch.rand(1, 3, 9, 9, generator=generator(1))
    turned = image
    for _ in range(4):
        turned = turns(turned)[:, 1]
    assert torch.equal(turned, image)
    assert torch.equal(turns(image)[:, 3], turns(turns(image)[:, 1])[:, 2])


def test_a_batch_holds_every_turn_of_every_image() -> None:
    task = Rotation.build(build_config("rotation", "small", {"crop": 64, "hidden": 8, "flip": False}), generator(0))
    images = torch.randint(0, 256, (3, 3, 64, 64), generator=generator(1), dtype=torch.uint8)
    views = task.views(images, generator(2))
    assert views.target is not None
    assert views.target.flatten().bincount().tolist() == [3, 3, 3, 3]
    assert torch.equal(views.inputs[:, 2], views.inputs[:, 0].flip((2, 3)))


def test_an_image_that_looks_the_same_from_all_sides_is_guessed() -> None:
    """Its four turns are equal, so the outputs are: one is right by accident."""
    task = Rotation.build(build_config("rotation", "small", {"crop": 64, "hidden": 8, "flip": False}), generator(0))
    y, x = torch.meshgrid(torch.arange(64) - 31.5, torch.arange(64) - 31.5, indexing="ij")
    rings = ((y**2 + x**2).sqrt() * 8 % 256).byte().expand(2, 3, 64, 64)
    task.eval()
    with torch.no_grad():
        views = task.views(rings, generator(2))
        accuracy = task.measure(task(views.inputs), views.target)["accuracy"]
    assert accuracy.mean(dim=1).tolist() == [0.25, 0.25]


def test_crops_at_many_scales_have_the_networks_size() -> None:
    config = build_config("rotation", "paper", {"crop": 64, "region": 80, "hidden": 8})
    assert config.drawn == 80
    task = Rotation.build(config, generator(0))
    images = torch.randint(0, 256, (4, 3, 80, 80), generator=generator(1), dtype=torch.uint8)
    assert task.views(images, generator(2)).inputs.shape == (4, 4, 3, 64, 64)
    assert task.views(images[:, :, :64, :64], generator(2)).inputs.shape == (4, 4, 3, 64, 64)


def test_the_papers_rate_falls_where_the_released_table_says() -> None:
    """50 epochs of 6,672 steps: .01 until epoch 15, .001 until 30, 1e-4 until 45, 1e-5 to the end."""
    how = FitConfig.of(RotationConfig(), seed=0, precision="fp32")
    epoch = 6672
    assert RotationConfig().steps == 50 * epoch
    found = [how.learning_rate(at * epoch) for at in (0, 14.9, 15, 29.9, 30, 44.9, 45, 49.9)]
    assert found == pytest.approx([0.01, 0.01, 0.001, 0.001, 1e-4, 1e-4, 1e-5, 1e-5])


def test_a_crop_that_leaves_no_cell_is_refused() -> None:
    with pytest.raises(BadConfig, match="at least 63"):
        build_config("rotation", "small", {"crop": 62})
    with pytest.raises(BadConfig, match="at most region"):
        build_config("rotation", "small", {"crop": 130})
