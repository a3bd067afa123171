"""Honest files of every format give the tensors they were made of; real ones of other people are read as they are."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from models.foreign import leaves
from models.foreign.inspecting import inspect
from models.foreign.opening import opened
from models.foreign.reading import read_tensors
from models.foreign.weights import UnreadableWeights
from tests.models.foreign.files import ARTEFACTS, arrays, caffemodel, saved, small_state


def same(found: dict[str, torch.Tensor], wanted: dict[str, Any]) -> bool:
    return list(found) == list(wanted) and all(torch.equal(found[key], torch.as_tensor(wanted[key])) for key in wanted)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_state_dict_comes_back_as_it_was_saved(tmp_path: Path, legacy: bool) -> None:
    path = saved(tmp_path / "x.pth.tar", {"epoch": 5, "state_dict": small_state(prefix="module.")}, legacy=legacy)
    assert same(read_tensors(path, "state_dict"), small_state())
    found = inspect(path)
    assert found.format == ("torch-legacy" if legacy else "torch-zip")
    assert found.metadata == {"epoch": 5}
    candidate = found.candidate("state_dict")
    assert candidate.prefix == "module." and candidate.parameters == 4 * 27 + 4 + 20


def test_a_reader_begins_at_the_first_byte_wherever_another_one_stopped(tmp_path: Path) -> None:
    """What opens /dev/fd/N on macOS shares its position with everyone who opened it before."""
    path = saved(tmp_path / "x.pth", small_state())
    with opened(path) as file, os.fdopen(os.dup(file.descriptor), "rb") as other:
        other.read(100)
        assert os.lseek(file.descriptor, 0, os.SEEK_CUR) > 0
        assert file.path and os.lseek(file.descriptor, 0, os.SEEK_CUR) == 0


def test_safetensors_come_back_with_their_text(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"  # the name says nothing
    save_file(small_state(), path, metadata={"arch": "tiny"})
    found = inspect(path)
    assert (found.format, found.metadata) == ("safetensors", {"arch": "tiny"})
    assert same({key: read_tensors(path, "weights")[key] for key in small_state()}, small_state())


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_arrays_of_numpy_come_back(tmp_path: Path, write: Any) -> None:
    write(tmp_path / "x.npz", **arrays())
    assert inspect(tmp_path / "x.npz").format == "npz"
    assert same(read_tensors(tmp_path / "x.npz", "weights"), arrays())


def test_one_array_is_a_set_of_one(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.asfortranarray(arrays()["conv.weight"]).astype(">f4"))
    assert same(read_tensors(tmp_path / "x.npy", "weights"), {"array": arrays()["conv.weight"]})


@pytest.mark.parametrize("v1", [False, True])
def test_caffe_layers_come_back_with_names_and_settings(tmp_path: Path, v1: bool) -> None:
    blobs = {
        "conv": [arrays()["conv.weight"], arrays()["conv.bias"]],
        "fc": [arrays()["fc.weight"], arrays()["fc.bias"]],
    }
    kinds = {"conv": "Convolution", "fc": "InnerProduct"}
    (tmp_path / "x").write_bytes(caffemodel(blobs, kinds, v1=v1, group=2))
    assert same(read_tensors(tmp_path / "x", "weights"), arrays())
    layers = inspect(tmp_path / "x").metadata["caffe"]["layers"]
    assert [(layer["name"], layer["type"]) for layer in layers] == list(kinds.items())
    assert layers[0]["group"] == [2]


def test_what_lies_beside_the_weights_becomes_plain_values(tmp_path: Path) -> None:
    from argparse import Namespace

    best, args = np.float64(91.5), Namespace(lr=0.1, arch="resnet18", data=Path("photos"))
    path = saved(tmp_path / "x", {"model": small_state(), "best": best, "args": args, "mean": np.arange(3.0)})
    found = inspect(path)
    assert found.metadata == {"best": 91.5, "args": {"lr": 0.1, "arch": "resnet18", "data": "photos"}}
    assert [it.name for it in found.candidates] == ["model", "weights"]  # the lone array is a set, too


def test_values_are_measured_as_they_are(tmp_path: Path) -> None:
    state = {
        "conv.weight": torch.tensor([[-3.0, 1.0], [1.0, 5.0]], dtype=torch.bfloat16),
        "bad.weight": torch.tensor([1.0, torch.nan, torch.inf]),
        "same.bias": torch.full((4,), 0.5),
        "step": torch.tensor(3),
    }
    found = inspect(saved(tmp_path / "x", state)).candidate("weights").tensors
    conv, bad = found["conv.weight"], found["bad.weight"]
    assert (conv.low, conv.high, conv.std, conv.dtype) == (-3, 5, pytest.approx(8**0.5), "bfloat16")
    assert (bad.finite, bad.bad, bad.low, bad.high) == (False, 2, 1, 1)
    assert found["same.bias"].constant and not conv.constant
    assert found["step"].finite is None


def test_parts_of_a_large_tensor_are_measured_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaves, "CHUNK", 2)
    found = leaves.measure(torch.tensor([1.0, 2.0, torch.nan, 100.0, 6.0]))  # parts of 2, 1 and 1 finite values
    wanted = np.array([1.0, 2.0, 100.0, 6.0])
    assert (found.low, found.high, found.bad) == (1, 100, 1)
    assert found.std == pytest.approx(wanted.std())


def test_double_precision_becomes_single_and_half_stays(tmp_path: Path) -> None:
    path = saved(tmp_path / "x", {"a": torch.ones(2, dtype=torch.float64), "b": torch.ones(2, dtype=torch.float16)})
    found = read_tensors(path, "weights")
    assert (found["a"].dtype, found["b"].dtype) == (torch.float32, torch.float16)
    assert inspect(path).warnings[0].startswith("Some tensors are float64")


def test_a_file_that_is_no_longer_the_same_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "x", small_state())
    pinned = inspect(path).sha256
    assert read_tensors(path, "weights", sha256=pinned)
    saved(path, small_state(1))
    with pytest.raises(UnreadableWeights) as refused:
        read_tensors(path, "weights", sha256=pinned)
    assert refused.value.code == "checkpoint_changed"


REAL = {
    "akamaster_resnet20-12fca82f.th": ("torch-legacy", "state_dict", "module.", 271_098),
    "akamaster_resnet56-4bfd9763.th": ("torch-legacy", "state_dict", "module.", 857_082),
    "ultraface_slim-320.pth": ("torch-legacy", "weights", "", 264_732),
    "mtcnn_det1.caffemodel": ("caffemodel", "weights", "", 6_632),
}


@pytest.mark.parametrize("name", REAL)
def test_real_files_are_read(name: str) -> None:
    if not (ARTEFACTS / name).exists():
        pytest.skip("the real files are not beside this clone")
    found = inspect(ARTEFACTS / name)
    kind, candidate, prefix, parameters = REAL[name]
    assert (found.format, [it.name for it in found.candidates]) == (kind, [candidate])
    assert found.candidate(candidate).prefix == prefix
    assert found.candidate(candidate).parameters == parameters
    assert all(info.finite is not False for info in found.candidate(candidate).tensors.values())


def test_a_real_pickled_array_is_refused_with_an_explanation() -> None:
    if not (ARTEFACTS / "mtcnn_pnet.npy").exists():
        pytest.skip("the real files are not beside this clone")
    with pytest.raises(UnreadableWeights, match=r"numpy\.savez") as refused:
        inspect(ARTEFACTS / "mtcnn_pnet.npy")
    assert refused.value.code == "unsafe_checkpoint"
