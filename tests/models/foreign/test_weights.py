"""What an inspection says survives the way through JSON."""

import json
from dataclasses import replace

import pytest

from models.foreign.weights import Inspection, TensorInfo, WeightsCandidate

KERNEL = TensorInfo((16, 3, 3, 3), "float32", finite=True, low=-1.0, high=1.5, std=0.2)
COUNTER = TensorInfo((), "int64", constant=True)
FOUND = Inspection(
    format="torch-zip",
    sha256="0" * 64,
    bytes=4096,
    candidates=(
        WeightsCandidate(
            "state_dict/encoder_q",
            "module.encoder_q.",
            {"conv1.weight": KERNEL, "bn1.num_batches_tracked": COUNTER},
            inner=("features.module.",),
            beside={"queue": TensorInfo((128, 65536), "float32", finite=True)},
        ),
        WeightsCandidate("state_dict/encoder_k", "module.encoder_k.", {"conv1.weight": KERNEL}),
    ),
    metadata={"epoch": 200, "arch": "resnet50"},
    warnings=("float64 becomes float32",),
)


def test_an_inspection_comes_back_from_json_as_it_was() -> None:
    assert Inspection.from_json(json.loads(json.dumps(FOUND.as_json()))) == FOUND


def test_only_floating_point_values_are_parameters() -> None:
    assert FOUND.candidate("state_dict/encoder_q").parameters == 16 * 3 * 3 * 3


def test_a_user_may_mean_what_has_filters() -> None:
    head = WeightsCandidate("head", "", {"fc.weight": TensorInfo((10, 8), "float32")})
    both = replace(FOUND, candidates=(*FOUND.candidates, head))
    assert both.plausible == FOUND.candidates
    assert replace(FOUND, candidates=(head,)).plausible == (head,)


def test_an_unknown_candidate_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(KeyError, match="state_dict/encoder_q, state_dict/encoder_k"):
        FOUND.candidate("teacher")
