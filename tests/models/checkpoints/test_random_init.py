"""Random init without torch is the network that torch would build: same names, same shapes, same geometry."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from models import random_init
from models.card import WEIGHTS, read_card, write_card
from models.checkpoints import storage as checkpoints
from models.checkpoints.storage import untrained
from models.recipes import build_config
from models.recipes.counting import CountingConfig
from models.seeds import generator
from models.tasks.counting import Counting

SMALL = build_config("counting", "small", {"hidden": 32, "units": 8})


@pytest.mark.parametrize(
    "config", [SMALL, replace(CountingConfig(), hidden=32, units=8), replace(SMALL, crop=128, stride=3)]
)
def test_names_shapes_layers_and_preprocessing_are_those_of_a_training(config: CountingConfig, tmp_path: Path) -> None:
    drawn = random_init.write(tmp_path, config)
    task = Counting.build(config, generator(0))
    built = checkpoints.describe(task, name="x", recipe=None, config={})
    assert drawn.layers == built.layers
    assert (drawn.preprocess, drawn.encoder, drawn.head) == (built.preprocess, built.encoder, built.head)
    expected = {f"encoder.{name}": value.shape for name, value in task.encoder.state_dict().items()}
    expected |= {f"head.{name}": value.shape for name, value in task.head.state_dict().items()}
    assert {name: value.shape for name, value in load_file(tmp_path / WEIGHTS).items()} == expected


def test_a_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    cards = [random_init.write(tmp_path / name, SMALL, seed=seed) for name, seed in (("a", 3), ("b", 3), ("c", 4))]
    assert cards[0] == cards[1]
    assert cards[2].weights_sha256 != cards[0].weights_sha256


def test_the_network_loads_and_its_weights_have_the_deviation_of_the_method(tmp_path: Path) -> None:
    config = replace(SMALL, conv1_std=0.01)
    random_init.write(tmp_path, config, conv1_scale=3.0)
    network = checkpoints.load(tmp_path)
    conv1 = network.encoder.get_parameter("conv1.weight").detach().numpy()
    conv3 = network.encoder.get_parameter("conv3.weight").detach().numpy()
    assert conv1.std() == pytest.approx(0.03, rel=0.02)
    assert conv3.std() == pytest.approx(np.sqrt(2 / (256 * 9)), rel=0.02)
    assert untrained(network.card, "cpu").encoder.get_parameter("conv1.weight").std().item() == pytest.approx(
        0.03, rel=0.02
    )


def test_it_is_drawn_like_the_card_it_is_compared_with(tmp_path: Path) -> None:
    card = replace(random_init.write(tmp_path, SMALL), config={"crop": 96, "units": 8, "of_the_future": 1})
    write_card(tmp_path, replace(card, provenance={"conv1_scale": 2.5}))
    found = random_init.like(tmp_path / "checkpoint.json")
    assert found == (CountingConfig(crop=96, units=8), 2.5)
    assert random_init.like(tmp_path / "missing.json") is None and random_init.like(None) is None
    assert read_card(tmp_path).name == random_init.NAME
