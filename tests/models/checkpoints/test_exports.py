"""What leaves Tessera holds the same values, and answers the same."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from models.card import WEIGHTS, write_card
from models.checkpoints import exports
from models.checkpoints import storage as checkpoints
from models.checkpoints.exporting import CannotExport, OnnxMissing, compared, export
from models.recipes import build_config
from models.seeds import generator
from models.tasks.counting import Counting

TINY = {"crop": 80, "region": 96, "stride": 4, "hidden": 16, "units": 8, "batch_size": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("exports") / "tiny"
    where.mkdir()
    config = build_config("counting", "small", TINY)
    task = Counting.build(config, generator(0))
    sha256 = checkpoints.save_weights(where, task.encoder, task.head)
    card = checkpoints.describe(task, name="tiny", recipe="small", config=asdict(config))
    write_card(where, replace(card, weights_sha256=sha256, dtype="fp16"))
    return where


def test_safetensors_have_plain_names_the_same_values_and_the_card(folder: Path, tmp_path: Path) -> None:
    data = b"".join(exports.safetensors_bytes(folder))
    assert len(data) == exports.safetensors_size(folder)
    (tmp_path / "out.safetensors").write_bytes(data)
    own, plain = load_file(folder / WEIGHTS), load_file(tmp_path / "out.safetensors")
    assert sorted(plain) == sorted(name.removeprefix("encoder.") for name in own)
    assert all(torch.equal(value, plain[name.removeprefix("encoder.")]) for name, value in own.items())
    with safe_open(tmp_path / "out.safetensors", framework="numpy") as opened:
        card = json.loads(opened.metadata()["card"])
    assert card["encoder"]["builder"] == "alexnet"
    assert card["preprocess"]["crop"] == 80


def test_a_state_dict_can_be_read_by_plain_pytorch(folder: Path) -> None:
    made = export(folder, "pth")
    tensors = torch.load(folder / exports.FOLDER / made.file, weights_only=True)
    assert torch.equal(tensors["conv1.weight"], load_file(folder / WEIGHTS)["encoder.conv1.weight"])
    assert "head.counts.weight" in tensors
    assert (made.difference, made.bytes) == (0.0, (folder / exports.FOLDER / made.file).stat().st_size)
    assert [path.name for path in (folder / exports.FOLDER).iterdir() if path.name.startswith(".")] == []


def test_an_export_of_other_weights_is_not_offered(folder: Path) -> None:
    made = export(folder, "pth")
    assert exports.read_export(folder, "pth", made.weights_sha256) == made
    assert exports.read_export(folder, "pth", "another") is None
    assert exports.read_export(folder, "onnx", made.weights_sha256) is None


def test_onnx_answers_as_the_original_does(folder: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    made = export(folder, "onnx")
    assert made.difference < exports.TOLERANCE


def test_without_its_packages_onnx_says_what_to_install(folder: Path) -> None:
    try:
        import onnxruntime  # type: ignore[import-not-found] # noqa: F401
    except ImportError:
        with pytest.raises(OnnxMissing, match=r"'\.\[onnx\]'"):
            export(folder, "onnx")
        assert not list((folder / exports.FOLDER).glob("*.onnx*"))
    else:
        pytest.skip("the extra onnx is installed")


def test_a_file_that_answers_differently_is_thrown_away() -> None:
    encoder, shown = torch.nn.Linear(4, 2), torch.randn(3, 4)

    def off(pixels: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return encoder(torch.from_numpy(pixels)).numpy() + 2e-4

    with pytest.raises(CannotExport, match=r"differently, by up to 0\.0002"):
        compared(encoder, shown, off)
