"""The contract that every registered task keeps, on tiny images and networks."""

import inspect
import math
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.encoders import layers
from models.recipes import RECIPES, build_config
from models.recipes.base import ImageConfig
from models.seeds import generator
from models.tasks import TASKS
from models.tasks.base import Task, Views

# What makes a task quick; a task whose smallest network needs other values says so in its own line.
TINY: dict[str, dict[str, Any]] = {
    "counting": {"crop": 80, "region": 96, "stride": 4, "hidden": 16, "units": 8, "conv1_std": 0.0},
    "jigsaw": {"crop": 96, "region": 96, "tile": 27, "tile_hidden": 16, "hidden": 16, "permutations": 6},
    "jigsaw_pp": {"crop": 96, "region": 96, "tile": 27, "tile_hidden": 16, "hidden": 16, "permutations": 6},
    "rotation": {"crop": 64, "region": 72, "hidden": 16},
    "supervised": {"crop": 64, "region": 72, "hidden": 16, "classes": 3},
    "deepcluster": {"crop": 64, "region": 72, "hidden": 16, "clusters": 3, "pca": 2},
    "cluster_classification": {"crop": 64, "region": 72, "hidden": 16, "classes": 3, "clustering": "groups"},
    "colorization": {"crop": 65, "region": 72, "hidden": 16},
    "split_brain": {"crop": 65, "region": 72, "hidden": 32},
    "context_prediction": {
        "crop": 88,
        "region": 88,
        "patch": 25,
        "gap": 4,
        "jitter": 2,
        "patch_hidden": 64,
        "hidden": 64,
    },
    "inpainting": {"crop": 64, "region": 72, "ups": 2, "decoder": 8, "discriminator": 4},
}
RATES = {
    "counting": 1e-4,
    "deepcluster": 3e-4,
    "colorization": 3e-2,
    "split_brain": 3e-2,
    "context_prediction": 3e-2,
}  # of Adam, if not .01
# The other networks that a task can train keep the same contract.
VGG = {"network": "vgg16", "width": 0.125, "norm": "batch"}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "jigsaw_pp with vgg16": ("jigsaw_pp", {**VGG, "tile": 32, "crop": 108, "region": 108}),
    "rotation with vgg16": ("rotation", VGG),
    "cluster_classification with vgg16": ("cluster_classification", VGG),
}
CASES = [*TASKS, *VARIANTS]
IMAGES = 6


def config_of(name: str) -> ImageConfig:
    task, others = VARIANTS.get(name, (name, {}))
    return build_config(task, "small", {**TINY[task], **others})


def new_task(name: str) -> Task:
    return TASKS[VARIANTS.get(name, (name,))[0]].build(config_of(name), generator(3, 0))


def images_of(task: Task) -> Tensor:
    """Smooth pictures that differ, of the size that a training step draws."""
    side = task.config.drawn
    coarse = torch.rand(IMAGES, 3, 8, 8, generator=generator(5)) * 255
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 255).byte()


def targets_of(task: Task) -> Tensor | None:
    return None if task.config.labels == "none" else torch.arange(IMAGES) % 3


def views_of(task: Task, seed: int = 1) -> Views:
    return task.views(images_of(task), generator(seed), targets_of(task))


def test_every_task_has_its_recipes_and_a_tiny_one_here() -> None:
    assert list(TASKS) == list(RECIPES) == list(TINY)
    assert all({"paper", "small"} <= set(recipes) for recipes in RECIPES.values())


@pytest.mark.parametrize("name", TASKS)
def test_views_are_reproducible_from_their_seed(name: str) -> None:
    task = new_task(name)
    one, same, other = views_of(task), views_of(task), views_of(task, seed=2)
    assert torch.equal(one.inputs, same.inputs)
    assert not torch.equal(one.inputs, other.inputs)
    assert len(one.inputs) == IMAGES
    if one.target is not None:
        assert same.target is not None and torch.equal(one.target, same.target)


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_reaches_the_first_layer(name: str) -> None:
    task = new_task(name)
    views = views_of(task)
    task.training_step(views, task(views.inputs).float())
    gradient = task.encoder.get_parameter(f"{layers(task.encoder)[0].name}.weight").grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("name", CASES)
def test_the_loss_falls_on_one_batch(name: str) -> None:
    task = new_task(name)
    views = views_of(task)
    optimiser = torch.optim.Adam(task.parameters(), lr=RATES.get(name, 1e-2))
    losses = []
    for _ in range(12):
        optimiser.zero_grad()
        terms = task.training_step(views, task(views.inputs).float())
        losses.append(sum(float(term.detach()) for term in terms.values()))
        optimiser.step()
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("name", TASKS)
def test_the_module_cites_its_paper(name: str) -> None:
    assert TASKS[name].paper.startswith("https://")
    assert TASKS[name].paper.removeprefix("https://").split("/")[-1] in (
        inspect.getdoc(sys.modules[TASKS[name].__module__]) or ""
    )


@pytest.mark.parametrize("name", TASKS)
def test_held_out_measures_are_one_number_an_image_and_chance_is_of_them(name: str) -> None:
    task = new_task(name).eval()
    views = views_of(task)
    with torch.no_grad():
        found = task.measure(task(views.inputs).float(), views.target)
    assert all(len(values) == IMAGES for values in found.values())
    assert set(task.chance()) <= set(found)


@pytest.mark.parametrize("name", TASKS)
def test_puzzle_and_answer_can_be_drawn(name: str) -> None:
    task = new_task(name).eval()
    views = views_of(task)
    for which in range(3):
        puzzle = task.puzzle(views, which)
        with torch.no_grad():
            answer = task.answer(task(views.inputs).float(), views, which)
        assert puzzle.question.endswith("?")
        for item in (*puzzle.shown, *puzzle.solution, *answer.drawn):
            assert item.pixels.dtype == np.uint8
            assert item.pixels.ndim == 3 and item.pixels.shape[2] == 3
        assert answer.words
        if puzzle.choices:
            assert puzzle.right is not None
            assert 0 <= puzzle.right < len(puzzle.choices) == len(answer.probabilities)
            assert sum(answer.probabilities) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", [name for name in CASES if name != "counting"])
def test_a_classification_begins_at_the_loss_of_guessing(name: str) -> None:
    task = new_task(name)
    guessing = task.chance()
    if "accuracy" not in guessing or "loss" not in guessing:
        pytest.skip("no classification")
    assert guessing["loss"] == pytest.approx(math.log(round(1 / guessing["accuracy"])))
    views = views_of(task)
    with torch.no_grad():
        first = sum(map(float, task.loss(task(views.inputs).float(), views.target).values()))
    assert first == pytest.approx(guessing["loss"], rel=0.02)
