"""Where weights are in nested files, and which wrappers their names lose."""

from typing import Any

import numpy as np
import pytest

from models.foreign.finding import FoundWeights, find
from models.foreign.weights import UnreadableWeights


def net(prefix: str = "") -> dict[str, Any]:
    """A first layer, another one, and a head."""
    shapes = {"conv1.weight": (8, 3, 7, 7), "layer1.conv.weight": (8, 8, 3, 3), "fc.weight": (10, 8)}
    return {f"{prefix}{key}": np.zeros(shape, np.float32) for key, shape in shapes.items()}


def heads(prefix: str, *shape: int) -> dict[str, Any]:
    return {f"{prefix}weight": np.zeros(shape, np.float32)}


def named(content: Any) -> dict[str, FoundWeights]:
    return {found.name: found for found in find(content)}


@pytest.mark.parametrize("key", ["state_dict", "model", "network", "net", "model_state_dict", "encoder_state_dict"])
def test_weights_are_found_under_the_names_people_use(key: str) -> None:
    found = find({"epoch": 3, key: net(), "optimizer": {"state": {0: {"momentum_buffer": np.zeros(3)}}}})
    assert [(it.name, it.prefix) for it in found] == [(key, "")]
    assert set(found[0].tensors) == set(net())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "backbone.", "model.", "module._orig_mod.model."])
def test_wrappers_that_all_names_share_are_stripped_and_told(prefix: str) -> None:
    found = find(net(prefix))[0]
    assert (found.name, found.prefix) == ("weights", prefix)
    assert list(found.tensors) == list(net())


def test_moco_has_two_encoders_and_a_queue() -> None:
    state = net("module.encoder_q.") | net("module.encoder_k.") | {"module.queue": np.zeros((128, 16))}
    found = named({"state_dict": state, "arch": "resnet50"})
    assert list(found) == ["state_dict/encoder_q", "state_dict/encoder_k"]
    query = found["state_dict/encoder_q"]
    assert query.prefix == "module.encoder_q." and set(query.tensors) == set(net())
    assert "queue" in query.beside and "encoder_k.conv1.weight" in query.beside


def test_dino_has_a_student_and_a_teacher_with_heads_beside() -> None:
    student = net("module.backbone.") | heads("module.head.last_layer.", 64, 8)
    teacher = net("backbone.") | heads("head.last_layer.", 64, 8)
    found = named({"student": student, "teacher": teacher, "dino_loss": {"center": np.zeros((1, 64))}})
    assert found["student/backbone"].prefix == "module.backbone."
    assert found["teacher/backbone"].prefix == "backbone."
    assert set(found["teacher/backbone"].beside) == {"head.last_layer.weight"}
    assert list(found) == ["student/backbone", "teacher/backbone", "dino_loss"]


def test_the_trunk_of_vissl_is_found_beside_its_heads() -> None:
    trunk = {"trunk": net("_feature_blocks."), "heads": heads("0.clf.", 10, 8)}
    found = named({"classy_state_dict": {"base_model": {"model": trunk}}, "phase_idx": 4})
    assert found["classy_state_dict/base_model/model/trunk"].prefix == "_feature_blocks."
    assert list(found)[1:] == ["classy_state_dict/base_model/model/heads"]


def test_a_backbone_among_heads_is_the_network() -> None:
    state = net("backbone.") | net("momentum_backbone.") | heads("projector.0.", 16, 8) | heads("classifier.", 10, 8)
    found = named({"state_dict": state})
    assert set(found) == {"state_dict/backbone", "state_dict/momentum_backbone"}
    assert "projector.0.weight" in found["state_dict/backbone"].beside


def test_wrappers_inside_names_go_too() -> None:
    state = {"features.module.0.weight": np.zeros((96, 2, 11, 11)), "top_layer.weight": np.zeros((1000, 64))}
    found = find({"arch": "alexnet", "state_dict": state})[0]
    assert list(found.tensors) == ["features.0.weight", "top_layer.weight"]
    assert found.inner == ("features.module.",)


def test_an_encoder_that_is_part_of_a_network_is_not_torn_out() -> None:
    """torchvision's ViT keeps its patches outside `encoder`; ConvNeXt's depthwise filters see no image."""
    vit = {"conv_proj.weight": np.zeros((8, 3, 4, 4)), "encoder.pos_embedding": np.zeros((1, 5, 8))}
    convnext = {"stem.0.weight": np.zeros((8, 3, 4, 4)), "encoder.dw.weight": np.zeros((8, 1, 7, 7))}
    assert list(find(vit)[0].tensors) == list(vit)
    assert list(find(convnext)[0].tensors) == list(convnext)


def test_a_dict_for_each_layer_is_one_set_of_weights() -> None:
    layers = {
        "conv1": {"weights": np.zeros((8, 3, 3, 3)), "biases": np.zeros(8)},
        "fc6": [np.zeros((4, 8)), np.zeros(4)],
    }
    assert list(find(layers)[0].tensors) == ["conv1.weights", "conv1.biases", "fc6.0", "fc6.1"]


def test_a_file_that_contains_itself_is_walked_once() -> None:
    content: dict[str, Any] = {"state_dict": net()}
    content["again"] = content
    assert len(find(content)) == 1


def test_a_file_without_tensors_says_what_to_save() -> None:
    with pytest.raises(UnreadableWeights, match=r"model\.state_dict") as refused:
        find({"epoch": 3, "names": ["a"]})
    assert refused.value.code == "no_weights"


def test_names_can_be_written_anywhere() -> None:
    found = find({"a\ud800.weight\n" + "x" * 600: np.zeros((2, 2))})[0]
    (name,) = found.tensors
    assert len(name) <= 500 and name.startswith("a?.weight?") and name.encode()
