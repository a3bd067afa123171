"""What parts of a puzzle give away alone: a linear map finds what is there, and nothing where nothing is."""

import numpy as np
import pytest
import torch

from models.recipes import build_config
from models.seeds import generator
from models.tasks.context_prediction import ContextPrediction
from models.tasks.scoring import evaluate_task
from models.tasks.shortcuts import read, shortcut_errors

TINY = {"crop": 88, "region": 88, "patch": 25, "gap": 4, "jitter": 2, "patch_hidden": 8, "hidden": 8}


def test_places_that_are_in_the_features_are_read_off_and_noise_says_no_more_than_the_mean() -> None:
    rng = np.random.default_rng(0)
    places = rng.random((200, 9, 2))
    found = read(np.concatenate([places, rng.random((200, 9, 5))], axis=2) @ rng.normal(size=(7, 7)), places)
    assert np.sqrt(found.errors.mean()) < 0.01
    noise = read(rng.random((200, 9, 6)), places)
    assert np.sqrt(noise.errors.mean()) == pytest.approx(np.sqrt(noise.of_mean.mean()), rel=0.02)
    assert np.sqrt(noise.of_mean.mean()) == pytest.approx((2 / 12) ** 0.5, rel=0.03)  # two uniform coordinates


def test_the_map_is_tried_on_images_that_it_was_not_fitted_on() -> None:
    """Forty numbers of nothing fit twenty parts exactly; on other images they are worse than the mean."""
    rng = np.random.default_rng(1)
    found = read(rng.normal(size=(40, 1, 40)), rng.random((40, 1, 1)))
    assert found.errors.shape == (20, 1) and found.errors.mean() > 0.8 * found.of_mean.mean()


def test_a_card_of_context_prediction_tells_how_well_a_patch_knows_its_place() -> None:
    config = build_config("context_prediction", "small", TINY)
    task, before = (ContextPrediction.build(config, generator(seed)) for seed in (0, 1))  # type: ignore[arg-type]
    ramp = torch.arange(88, dtype=torch.uint8).mul(2).expand(3, 88, 88)  # the photo brightens to the right
    regions = [(ramp + shade).clone() for shade in range(8)]
    given = task.shortcuts(torch.stack(regions), generator(2))["place_error"]
    assert given[0].shape == (8, 9, 8) and given[1].shape == (8, 9, 2)
    assert 0.142 <= float(given[1].min()) < 0.25 and 0.75 < float(given[1].max()) <= 0.858  # half a patch away
    report = evaluate_task(task, before, regions, None, seed=3, tick=lambda _: None)
    cell, mean = shortcut_errors(task, regions, 3)["place_error"]
    assert report["network"]["place_error"] == cell and cell["n"] == 36
    assert report["chance"]["place_error"]["value"] == mean == pytest.approx(0.33, abs=0.05)
    assert "place_error" in report["random_init"] and "place_error" not in report["five_sigma"]


def test_what_chance_gives_a_whole_batch_does_not_tell_a_place() -> None:
    """Of photos of noise, all patches coarse: nine cells of a batch must not be nine degrees of coarseness."""
    config = build_config("context_prediction", "small", {**TINY, "coarse_share": 1.0})
    task = ContextPrediction.build(config, generator(0)).eval()  # type: ignore[arg-type]
    noise = torch.randint(0, 256, (64, 3, 88, 88), generator=generator(1), dtype=torch.uint8)
    with torch.inference_mode():
        features, _ = task.shortcuts(noise, generator(2))["place_error"]
    between = features.mean(dim=0).var(dim=0).sum()
    within = features.var(dim=0).mean(dim=0).sum()
    assert between < 0.1 * within
