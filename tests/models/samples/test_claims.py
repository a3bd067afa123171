"""What the bundled checkpoints claim of themselves, recomputed from their stored weights, on images drawn anew."""

from pathlib import Path

import numpy as np
import pytest
import torch

from app.services.checkpoints.bundled import bundled_folders
from models.card import Card, read_card, read_reference
from models.checkpoints import storage as checkpoints
from models.countables.scenes import draw
from models.countables.source import scene_seed
from models.counting.gates import judge
from models.counting.measures import MEASURES, Sides
from models.counting.scoring import sides
from models.crops import region
from models.evaluations.files import read_all
from models.filters.measures import measure as filter_measures
from models.network import Network

SCENES = 48
FOLDERS = pytest.mark.parametrize("folder", bundled_folders(), ids=lambda folder: folder.name)


def value(card: Card, name: str) -> float:
    return float(card.measures["network"][name]["value"])


@FOLDERS
def test_the_equation_on_the_card_is_that_of_the_stored_count_vectors(folder: Path) -> None:
    card, kept = read_card(folder), read_reference(folder)
    assert kept is not None
    both = Sides.of(kept.whole.astype(np.float64), kept.total.astype(np.float64))
    for name in ("additivity_ratio", "r2_adding", "r2_averaging", "active_units", "participation_ratio"):
        assert MEASURES[name](both) == pytest.approx(value(card, name), rel=0.01, abs=0.01), name


@FOLDERS
def test_the_roughness_on_the_card_is_that_of_the_stored_filters(folder: Path) -> None:
    card = read_card(folder)
    network = checkpoints.load(folder, device="cpu")
    weights = network.encoder.get_submodule(card.first_layer.name).weight
    assert isinstance(weights, torch.Tensor)
    ratios = filter_measures(weights.detach().float().numpy()).tv_ratio
    assert float(np.median(ratios)) == pytest.approx(value(card, "conv1_tv_ratio"), abs=0.005)


@FOLDERS
def test_what_it_claims_of_drawn_scenes_holds_on_scenes_that_nobody_drew_before(folder: Path) -> None:
    found = {evaluation.gallery: evaluation for evaluation in read_all(folder)}
    if "countables" not in found:
        pytest.skip("was not measured on countables")
    claimed = found["countables"].measures["network"]["additivity_ratio"]
    both = _on_new_scenes(checkpoints.load(folder, device="cpu"))
    ratio = MEASURES["additivity_ratio"](both)
    half = (claimed["interval"][1] - claimed["interval"][0]) / 2
    wider = 1.5 * (claimed["n"] / SCENES) ** 0.5  # three standard errors of so few scenes
    assert ratio == pytest.approx(claimed["value"], abs=wider * half)


@FOLDERS
def test_its_gates_are_judged_from_measures_of_exactly_these_weights(folder: Path) -> None:
    card = read_card(folder)
    evaluations = list(read_all(folder))
    assert {"countables"} <= {evaluation.gallery for evaluation in evaluations}
    for evaluation in evaluations:
        assert evaluation.weights_sha256 == card.weights_sha256, evaluation.gallery
        assert {"network", "random_init", "averager", "constant"} <= set(evaluation.measures)
        for impostor in ("averager", "constant", "random_init"):
            verdicts = {result.gate.name: result.verdict for result in judge(evaluation.measures, impostor)}
            assert verdicts["additivity"] == verdicts["adds_not_averages"] == "fail", impostor


def _on_new_scenes(network: Network) -> Sides:
    """Scenes brought to the region as training and evaluation bring them there."""
    side = network.card.preprocess.region
    images = []
    for number in range(SCENES):
        image = torch.from_numpy(draw(scene_seed("test", 99, number), "test").image.copy()).permute(2, 0, 1)
        images.append(region(image, side))
    return sides(network, images)
