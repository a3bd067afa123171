"""The gates let through what adds, and stop an averager, a network that was never trained, and a constant."""

from typing import Any

import numpy as np
import pytest
import torch

from models.checkpoints import storage as checkpoints
from models.counting.gates import GATES, GateResult, judge, sentence
from models.counting.measures import Sides, measure
from models.counting.scoring import score
from models.network import Network
from models.recipes import build_config
from models.seeds import generator
from models.tasks.counting import Counting

EQUATION = ("additivity", "adds", "adds_not_averages", "knows_its_image")


def verdicts(results: tuple[GateResult, ...]) -> dict[str, str]:
    return {result.gate.name: result.verdict for result in results}


def cell(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    return {"value": value, "interval": None if low is None else [low, high], "n": 100}


@pytest.fixture(scope="module")
def adder() -> Sides:
    """Forty units that add up, but for a little noise."""
    rng = np.random.default_rng(0)
    total = rng.gamma(1.0, 1.0, (200, 40))
    return Sides.of(total + rng.normal(0, 0.1, total.shape), total)


@pytest.fixture(scope="module")
def card(adder: Sides) -> dict[str, Any]:
    """The measures of a network that passes everything, beside its controls."""
    good = {"conv1_tv_ratio": cell(0.9, 0.85, 0.95), "growth_exponent": cell(1.0, 0.9, 1.1)}
    seen = {"knn20_conv5": cell(0.5, 0.46, 0.54), "knn20_conv5_gain": cell(0.1, 0.05, 0.15)}
    near = {"knn20_counts": cell(0.5, 0.46, 0.54), "knn20_counts_gain": cell(0.1, 0.05, 0.15)}
    before = {"knn20_conv5": cell(0.4, 0.36, 0.44), "knn20_counts": cell(0.4, 0.36, 0.44)}
    return {
        "network": {**measure(adder), **good, **seen, **near, "knn20_counts_gain_pixels": cell(0.1, 0.05, 0.15)},
        "random_init": {**before, "growth_exponent": cell(0.2, 0.1, 0.3), "conv1_tv_ratio": cell(1.41, 1.40, 1.42)},
        "averager": dict(measure(adder.averager())),
        "constant": dict(measure(adder.constant())),
        "raw_pixels": {"knn20_counts": cell(0.4, 0.36, 0.44)},
    }


def test_a_network_that_adds_passes_every_gate(card: dict[str, Any]) -> None:
    results = judge(card)
    assert set(verdicts(results).values()) == {"pass"}
    assert len(results) == len(GATES)
    assert sentence(results) == "It counts: all 7 gates are passed."


def test_an_averager_fails_the_four_gates_of_the_equation(card: dict[str, Any]) -> None:
    found = verdicts(judge(card, "averager"))
    assert {name: found[name] for name in EQUATION} == dict.fromkeys(EQUATION, "fail")


def test_a_constant_fails_the_four_gates_of_the_equation(card: dict[str, Any]) -> None:
    """It has no variance that could be explained: not defined is not passed."""
    results = judge(card, "constant")
    assert {name: verdicts(results)[name] for name in EQUATION} == dict.fromkeys(EQUATION, "fail")
    assert "R² of adding not defined" in sentence(results)


def test_a_real_network_that_was_never_trained_fails_and_the_sentence_names_the_gates() -> None:
    config = build_config("counting", "small", {"crop": 80, "region": 96, "hidden": 64, "units": 32})
    task = Counting.build(config, generator(0))
    bare = checkpoints.describe(task, name="untrained", recipe="small", config={})
    network = Network(bare, task.encoder, task.head, "cpu", torch.float32)
    blocks = torch.randint(0, 256, (24, 3, 12, 12), generator=generator(3)).repeat_interleave(8, 2)
    images = [*blocks.repeat_interleave(8, 3).to(torch.uint8)]  # (24, 3, 96, 96)
    measured = score(network, images, seed=0)
    results = judge({"network": measured, "random_init": measured})
    found = verdicts(results)
    assert {name: found[name] for name in EQUATION} == dict.fromkeys(EQUATION, "fail")
    assert found["smooth_filters"] == "fail"  # white noise has sqrt(2)
    assert measured["conv1_tv_ratio"]["value"] == pytest.approx(2**0.5, abs=0.02)
    told = sentence(results)
    assert told.startswith("Does not count")
    for words in ("additivity ratio", "R² of adding", "norm-matched error", "TV ratio"):
        assert words in told


def test_every_measure_of_a_network_has_its_n_and_its_interval() -> None:
    config = build_config("counting", "small", {"crop": 80, "region": 96, "hidden": 64, "units": 32})
    task = Counting.build(config, generator(0))
    bare = checkpoints.describe(task, name="untrained", recipe="small", config={})
    network = Network(bare, task.encoder, task.head, "cpu", torch.float32)
    images = [*torch.randint(0, 256, (12, 3, 96, 96), generator=generator(5), dtype=torch.uint8)]
    for name, found in score(network, images, seed=0).items():
        assert found["n"] > 0, name
        assert found["interval"] is not None, name


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.8, 0.9, "pass"), (0.7, 0.9, "unclear"), (0.7, 0.79, "fail"), (0.7, 0.8, "unclear")]
)
def test_an_interval_that_crosses_the_threshold_tells_nothing(low: float, high: float, verdict: str) -> None:
    assert verdicts(judge({"network": {"additivity_ratio": cell(0.8, low, high)}}))["additivity"] == verdict


def test_less_is_asked_of_errors_and_roughness_and_equal_is_not_below() -> None:
    found = verdicts(judge({"network": {"matched_to_norm_matched": cell(0.25), "conv1_tv_ratio": cell(1.1)}}))
    assert (found["knows_its_image"], found["smooth_filters"]) == ("pass", "fail")


def test_what_was_not_measured_is_not_passed() -> None:
    assert set(verdicts(judge({})).values()) == {"unmeasured"}
    told = sentence(judge({"network": {"additivity_ratio": cell(0.9, 0.85, 0.95)}}))
    assert "1 of 7" in told and "Not measured: R² of adding" in told


def test_the_paired_difference_decides_where_there_is_one() -> None:
    """The intervals of .50 and .46 overlap; the same images counted one by one tell them apart."""
    both = {
        "network": {"knn20_conv5": cell(0.50, 0.46, 0.54)},
        "random_init": {"knn20_conv5": cell(0.46, 0.42, 0.50)},
    }
    assert verdicts(judge(both))["learned_features"] == "unclear"
    both["network"]["knn20_conv5_gain"] = cell(0.04, 0.01, 0.07)
    assert verdicts(judge(both))["learned_features"] == "pass"


def test_a_control_is_never_above_itself() -> None:
    same = {"random_init": {"knn20_conv5": cell(0.4, 0.36, 0.44)}}
    assert verdicts(judge(same, "random_init"))["learned_features"] == "fail"


def test_the_sentence_says_how_it_compares_with_an_averager() -> None:
    measured = {"r2_adding": cell(0.2, 0.1, 0.25), "r2_averaging": cell(0.14), "r2_gain": cell(0.06, 0.01, 0.1)}
    told = sentence(judge({"network": {**measured, "additivity_ratio": cell(0.72, 0.7, 0.74)}}))
    assert told.startswith("Adds more than it averages, but does not count well. 1 of 7 gates passed. Missed")
    assert "Missed: additivity ratio 0.72 (at least 0.8), R² of adding 0.2 (above 0.3)." in told
