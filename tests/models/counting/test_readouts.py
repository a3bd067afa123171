"""Readouts of named counts: the map, its worth beside single numbers, and annotations as a constraint in training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.card import write_card
from models.checkpoints import storage as checkpoints
from models.counting import readouts
from models.counting.readouts import NothingNamed, Readout, cells, named_counts, r2, sparse, table
from models.evaluations.readout import fit, line, read_out, shrunk
from models.galleries.packs import Pack
from models.recipes import build_config
from models.recipes.base import BadConfig
from models.seeds import generator
from models.tasks.counting import Counting
from models.training.targets import NoLabels, known_of, of_counts
from tests.scenes import pack_of_squares

COUNTS = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]])
TINY = {"crop": 64, "region": 64, "hidden": 16, "units": 8, "gray_share": 0.0, "batch_size": 4}


def test_a_map_that_is_there_is_found_exactly() -> None:
    """Three noses for every unit-0 count, two eyes for every unit-1 count."""
    weights = fit(COUNTS, COUNTS * [3.0, 2.0])
    assert weights == pytest.approx(np.array([[3.0, 0.0], [0.0, 2.0]]), abs=1e-9)
    assert sparse(weights.round(9), ("nose", "eyes")) == {"nose": {"0": 3.0}, "eyes": {"1": 2.0}}


def test_no_unit_is_counted_against_another() -> None:
    assert fit(COUNTS, -COUNTS).max() == 0.0


def test_more_units_than_scenes_are_shrunk_until_they_hold_on_others() -> None:
    """Sixty noisy copies of one number: twenty scenes are fitted by whichever copies happen to fit them."""
    rng = np.random.default_rng(0)
    number = rng.integers(0, 10, (220, 1)).astype(float)
    counts = number + rng.exponential(6.0, (220, 60))
    plain, weights = shrunk(counts[:20], number[:20], 0.0), fit(counts[:20], number[:20])

    def missed(found: np.ndarray) -> float:
        return float(np.square(number[20:] - counts[20:] @ found.T).mean())

    assert missed(weights) < 0.9 * missed(plain)
    assert (weights > 0).sum() > (plain > 0).sum()


def test_r2_is_one_for_the_truth_zero_for_its_mean_and_unknown_for_what_never_varies() -> None:
    known = np.array([[0.0, 2.0, 5.0], [2.0, 4.0, 5.0]])
    assert r2(known, known)[:2].tolist() == [1.0, 1.0]
    assert r2(np.broadcast_to(known.mean(axis=0), known.shape), known)[:2].tolist() == [0.0, 0.0]
    assert np.isnan(r2(known, known)[2])
    told = cells(known, known, ("a", "b", "c"), 0)
    assert told["c"]["value"] is None and told["all"]["value"] == 1.0  # the mean of those that are known


def test_one_value_is_read_by_a_straight_line() -> None:
    one, known = np.array([1.0, 2.0, 3.0]), np.array([[3.0], [5.0], [7.0]])
    assert line(one, known, np.array([10.0]))[0, 0] == pytest.approx(21.0)


def test_a_readout_says_its_counts_by_name_and_survives_its_file(tmp_path: Path) -> None:
    weights = {"nose": {"0": 3.0}, "eyes": {"0": 1.0, "1": 2.0}}
    made = Readout("net", "faces", "a" * 64, "b" * 64, ("eyes", "nose"), weights, 10, 8, 0, {"network": {}})
    assert made.read(np.array([0.5, 1.25])) == {"eyes": 3.0, "nose": 1.5}
    path = readouts.place(tmp_path, "faces")
    readouts.write(path, made)
    assert readouts.read(path) == made
    path.write_text("{}")
    assert readouts.read(path) is None and readouts.read(tmp_path / "none.json") is None


def test_an_image_that_does_not_name_a_thing_has_none_of_it() -> None:
    known, names = table([{"nose": 1.0}, {"eyes": 2.0}])
    assert names == ("eyes", "nose") and known.tolist() == [[0.0, 1.0], [2.0, 0.0]]


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Forty scenes of up to four bright squares, 64 px, and those of sweeps."""
    return pack_of_squares(tmp_path_factory.mktemp("squares"))


def test_the_truth_of_a_box_names_what_is_seen_in_it(squares: Pack) -> None:
    row = next(row for row in range(len(squares)) if len((squares.truth(row) or {})["objects"]) == 4)
    assert list((named_counts(squares, row, (0, 0, 64, 64)) or {}).values()) == [4.0]
    assert list((named_counts(squares, row, (0, 0, 32, 64)) or {}).values()) == [2.0]


def test_a_readout_is_fitted_on_scenes_and_tested_on_others(squares: Pack, tmp_path: Path) -> None:
    task = Counting.build(build_config("counting", "small", TINY), generator(0))
    sha256 = checkpoints.save_weights(tmp_path, task.encoder, task.head)
    card = checkpoints.describe(task, name="net", recipe=None, config={})
    write_card(tmp_path, replace(card, weights_sha256=sha256))
    told: list[str] = []
    how = {"checkpoint": "net", "gallery": "squares", "seed": 1, "device": "cpu", "tick": told.append}
    made = read_out(squares, tmp_path, scenes=15, **how)
    assert (made.fitted, made.tested, made.weights_sha256) == (15, 20, sha256)
    assert set(made.r2) == {"network", "mean", "edge_energy", "area"}
    assert made.r2["mean"]["all"]["value"] <= 0
    assert all(weight > 0 for of in made.weights.values() for weight in of.values())
    assert len(told) == 3
    with pytest.raises(NothingNamed, match="4 and 20"):
        read_out(squares, tmp_path, scenes=4, **how)


def test_named_counts_constrain_the_first_units() -> None:
    """Counts 1, 2 against 1, 0: an error of 4 for one image, 0 for the other, so 2 on average; weight .5 halves it."""
    outputs = torch.zeros(2, 5, 8)
    outputs[0, 0, :2] = torch.tensor([1.0, 2.0])
    target = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    loss = {}
    for constraints in ("tiles", "both", "annotation"):
        config = build_config("counting", "small", {**TINY, "constraints": constraints, "annotation_weight": 0.5})
        loss[constraints] = Counting.build(config, generator(0)).loss(outputs, target)
    assert list(loss["tiles"]) == ["tiles_add_up", "others_differ"]
    assert list(loss["both"]) == ["tiles_add_up", "others_differ", "annotation"]
    assert {name: float(term) for name, term in loss["annotation"].items()} == {"annotation": 1.0}
    assert float(loss["both"]["tiles_add_up"]) == float(loss["tiles"]["tiles_add_up"])


def test_targets_come_from_where_the_settings_say(squares: Pack) -> None:
    plain, both = (build_config("counting", recipe, {}) for recipe in ("small", "annotated"))
    assert (plain.targets_from, both.targets_from) == ("none", "counts")
    assert known_of(squares, "none") is None
    with pytest.raises(NoLabels, match="named counts"):
        of_counts(squares)  # their truth is known, but nobody wrote counts into the rows
    with pytest.raises(BadConfig, match="300 things"):
        both.for_classes(300)
