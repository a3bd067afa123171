"""Held-out puzzles: several of an image, intervals over images, and how far from guessing a network must be."""

import numpy as np
import pytest
import torch

from models.recipes import build_config
from models.seeds import generator
from models.tasks.jigsaw_pp import JigsawPP
from models.tasks.scoring import cells, evaluate_task, five_deviations, five_sigma, held_out, puzzles

TINY = {"crop": 96, "region": 96, "tile": 27, "tile_hidden": 8, "hidden": 8, "permutations": 6}


def jigsaw(seed: int) -> JigsawPP:
    return JigsawPP.build(build_config("jigsaw_pp", "small", TINY), generator(seed))  # type: ignore[arg-type]


def test_five_sigma_are_those_of_the_methods_table() -> None:
    """.021 for 2,000 puzzles of 100 permutations, .0041 for 5,000 of 701, .2984 for 2,000 rotations."""
    assert five_sigma(0.01, 2000) == pytest.approx(0.0211, abs=5e-5)
    assert five_sigma(1 / 701, 5000) == pytest.approx(0.0041, abs=5e-5)
    assert five_sigma(0.25, 2000) == pytest.approx(0.2984, abs=5e-5)


def test_every_image_is_four_different_puzzles_and_the_card_counts_puzzles() -> None:
    task = jigsaw(0)
    regions = list(torch.randint(0, 256, (6, 3, 96, 96), generator=generator(1), dtype=torch.uint8))
    found = puzzles(task, regions, None, 3)
    assert found["accuracy"].shape == (6, 4)
    assert np.array_equal(found["loss"][:, 0], held_out(task, regions, None, 3)["loss"])
    assert len(np.unique(found["loss"])) == 24
    report = evaluate_task(task, jigsaw(1), regions, None, seed=3, tick=lambda _: None)
    counted = [report["network"][f"accuracy_{number}_intruders"]["n"] for number in range(3)]
    assert report["network"]["accuracy"]["n"] == sum(counted) == 24
    assert report["five_sigma"]["accuracy"]["value"] == pytest.approx(five_sigma(1 / 6, 24))
    assert "loss" not in report["five_sigma"]


def test_puzzles_of_one_image_are_no_independent_witnesses() -> None:
    """Half of 100 images always solved: the interval is that of 100 answers, about .1 to either side, not of 400."""
    solved = np.repeat(np.arange(100) % 2, 4).reshape(100, 4).astype(float)
    cell = cells({"accuracy": solved}, 0)["accuracy"]
    assert (cell["value"], cell["n"]) == (0.5, 400)
    low, high = cell["interval"]
    assert high - low == pytest.approx(0.196, abs=0.02)


def test_nothing_solved_is_not_certainty_and_undefined_puzzles_are_left_out() -> None:
    """Wilson's upper end for 0 of 8 is .32."""
    values = np.zeros((4, 4))
    values[:, 2:] = np.nan
    cell = cells({"accuracy": values}, 0)["accuracy"]
    assert (cell["value"], cell["n"]) == (0, 8)
    assert cell["interval"][1] == pytest.approx(0.324, abs=0.001)
    assert cells({"accuracy": np.full((2, 4), np.nan)}, 0) == {}


def test_a_gain_over_guessing_is_compared_with_its_own_errors() -> None:
    """1, 2 and 3: a deviation of 1 over three images, 5 / sqrt(3); an image without a gain is left out."""
    gains = np.array([[1.0], [2.0], [3.0], [np.nan]])
    assert five_deviations(gains) == pytest.approx(2.8868, abs=1e-4)
    assert five_deviations(np.repeat(gains, 4, axis=1)) == pytest.approx(2.8868, abs=1e-4)
