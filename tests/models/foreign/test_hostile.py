"""Hostile and broken files are refused with a code and words; none is executed, hangs, or fills the memory."""

import os
import re
import resource
import struct
import tracemalloc
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from models.foreign.inspecting import inspect
from models.foreign.reading import read_tensors
from models.foreign.weights import UnreadableWeights
from tests.models.foreign.files import (
    arrays,
    caffemodel,
    malicious,
    rezipped,
    safetensors_bytes,
    saved,
    small_state,
)

ROOT = Path(__file__).resolve().parents[3]


def refusal(path: Path, **options: Any) -> UnreadableWeights:
    with pytest.raises(UnreadableWeights) as refused:
        inspect(path, **options)
    assert str(refused.value).endswith(".") and "weights_only" not in str(refused.value)
    return refused.value


@pytest.mark.parametrize("kind", ["zip", "legacy", "0", "2", "4"])
def test_code_is_named_and_never_run(tmp_path: Path, kind: str) -> None:
    canary = tmp_path / "canary"
    refused = refusal(malicious(tmp_path / "x.pth", canary, kind))
    assert refused.code == "unsafe_checkpoint" and "contains code and was not opened" in str(refused)
    assert "posix.system" in str(refused)
    assert not canary.exists()


def test_a_pickled_network_is_named_with_what_to_save_instead(tmp_path: Path) -> None:
    refused = refusal(saved(tmp_path / "x.pt", nn.Sequential(nn.Conv2d(3, 4, 3))))
    assert refused.code == "unsafe_checkpoint"
    assert "torch.nn.modules.container.Sequential" in str(refused) and "state_dict" in str(refused)


def test_nothing_in_the_code_loads_without_protection() -> None:
    forbidden = re.compile(
        r"weights_only\s*=\s*False|allow_pickle\s*=\s*True|\bpickle\.loads?\(|torch\.jit\.load\(|export\.load\(|joblib|dill"
    )
    for path in [*(ROOT / "models").rglob("*.py"), *(ROOT / "app").rglob("*.py")]:
        code = re.sub(r'"[^"\n]*"', '""', path.read_text("utf-8"))
        assert not forbidden.search(code), path
    loads = [p for p in (ROOT / "models").rglob("*.py") if "torch.load(" in re.sub(r'"[^"\n]*"', "", p.read_text())]
    assert all("weights_only=True" in path.read_text() for path in loads)


def test_an_expanded_tensor_is_refused_before_its_data_is_touched(tmp_path: Path) -> None:
    path = saved(tmp_path / "x", {"a.weight": torch.zeros(1).expand(200_000, 200_000)})
    assert path.stat().st_size < 4096
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = refusal(path)
    assert refused.code == "expanded_tensor" and "40,000,000,000 values of which 1 are stored" in str(refused)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024  # kilobytes
    with pytest.raises(UnreadableWeights):
        read_tensors(path, "weights")


def test_one_storage_under_many_names_is_refused(tmp_path: Path) -> None:
    shared = torch.zeros(1 << 18)
    refused = refusal(saved(tmp_path / "x", {f"a{n}.weight": shared.view(512, 512) for n in range(60)}))
    assert refused.code == "expanded_tensor"


@pytest.mark.parametrize("dtype", [torch.complex64, torch.float8_e4m3fn])
def test_other_numbers_than_real_ones_are_refused_when_read(tmp_path: Path, dtype: torch.dtype) -> None:
    path = saved(tmp_path / "x", {"a.weight": torch.zeros(3, 3).to(dtype)})
    with pytest.raises(UnreadableWeights, match=r"`a\.weight` is ") as refused:
        read_tensors(path, "weights")
    assert refused.value.code == "unsupported_dtype"


def test_sparse_and_dataless_tensors_are_refused(tmp_path: Path) -> None:
    assert refusal(saved(tmp_path / "s", {"a": torch.eye(3).to_sparse()})).code == "unsupported_dtype"
    assert refusal(saved(tmp_path / "m", {"a": torch.empty(2, device="meta")})).code == "not_a_checkpoint"


def test_what_is_no_file_of_weights_is_told_so(tmp_path: Path) -> None:
    zipped = saved(tmp_path / "zip", small_state()).read_bytes()
    legacy = saved(tmp_path / "legacy", small_state(), legacy=True).read_bytes()
    rng = np.random.default_rng(0)
    for number, data in enumerate(
        [b"", b"hello", b"\x00", rng.bytes(5000), zipped[:-30], zipped[:200], legacy[:100], legacy[:-10], b"PK\x03\x04"]
    ):
        path = tmp_path / str(number)
        path.write_bytes(data)
        assert refusal(path).code == "not_a_checkpoint", number


HEADERS: dict[str, bytes] = {
    "longer than the file": safetensors_bytes({}, length=1 << 40),
    "no JSON": safetensors_bytes(b"{nonsense}"),
    "offsets past the end": safetensors_bytes({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, b"1234"),
    "overlapping": safetensors_bytes(
        {
            "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
            "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]},
        },
        bytes(12),
    ),
    "another size than its shape": safetensors_bytes(
        {"a": {"dtype": "F32", "shape": [1 << 40, 1 << 30], "data_offsets": [0, 8]}}, bytes(8)
    ),
}


@pytest.mark.parametrize("what", HEADERS)
def test_bad_safetensors_are_refused(tmp_path: Path, what: str) -> None:
    (tmp_path / "x.safetensors").write_bytes(HEADERS[what])
    assert refusal(tmp_path / "x.safetensors").code == "bad_safetensors"


def test_bombs_are_refused_by_what_they_claim(tmp_path: Path) -> None:
    bomb = rezipped(saved(tmp_path / "x.pth", small_state()), zeros=50 << 20)
    assert bomb.stat().st_size < 1 << 20
    tracemalloc.start()
    code, (_, peak) = refusal(bomb).code, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert code == "not_a_checkpoint" and peak < 10 << 20  # it would unpack to 50 MB
    np.savez_compressed(tmp_path / "y.npz", a=np.zeros(10 << 20, np.float32))
    assert refusal(tmp_path / "y.npz").code == "not_a_checkpoint"


def test_pickled_arrays_are_refused_with_what_to_save_instead(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array({"conv1": [np.ones(2)]}, dtype=object))
    refused = refusal(tmp_path / "x.npy")
    assert refused.code == "unsafe_checkpoint" and "numpy.savez" in str(refused)
    np.savez(tmp_path / "y.npz", good=np.ones(2), bad=np.array([None], dtype=object))
    assert refusal(tmp_path / "y.npz").code == "unsafe_checkpoint"


def test_headers_of_arrays_cannot_claim_more_than_there_is(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(4, np.float32))
    data = (tmp_path / "x.npy").read_bytes().replace(b"(4,), }     ", b"(1<<40,), } ".replace(b"1<<40", b"44444"))
    (tmp_path / "x.npy").write_bytes(data)
    assert refusal(tmp_path / "x.npy").code == "not_a_checkpoint"


RECOGNISED = {
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "onnx": b"\x08\x07\x12\x07pytorch\x1a\x031.8" + bytes(20),
    "tensorflow": bytes(100) + struct.pack("<Q", 0xDB4775248B80FB57),
    "gguf": b"GGUF" + bytes(50),
    "archive": b"\x1f\x8b\x08" + bytes(50),
    "torch7": b"\x04\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00V 1" + bytes(9),
    "html": b"<!DOCTYPE html><html><body>Virus scan warning</body></html>",
    "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n",
}


@pytest.mark.parametrize("kind", RECOGNISED)
def test_other_formats_are_named_with_what_to_do_instead(tmp_path: Path, kind: str) -> None:
    (tmp_path / "x.pth").write_bytes(RECOGNISED[kind])
    refused = refusal(tmp_path / "x.pth")
    assert refused.detail == {"format": kind} and len(str(refused).split(". ")) > 1
    assert str(refused).startswith("This is an " if kind in ("hdf5", "onnx", "archive") else "This is a ")


PROGRAMS = {
    "torchscript": ["x/constants.pkl", "x/data.pkl", "x/code/__torch__.py"],
    "pt2": ["x/archive_format", "x/models/model.json"],
}


@pytest.mark.parametrize("kind", PROGRAMS)
def test_torchscript_and_exported_programs_are_refused(tmp_path: Path, kind: str) -> None:
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        for name in PROGRAMS[kind]:
            archive.writestr(name, "")
    assert refusal(tmp_path / "x.pt").detail == {"format": kind}


def test_what_is_no_regular_file_neither_hangs_nor_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe").code == "not_a_file"
    assert refusal(tmp_path).code == "not_a_file"
    assert refusal(Path("/dev/zero")).code == "not_a_file"
    assert refusal(tmp_path / "nothing").code == "input_missing"


def test_a_huge_file_is_refused_by_its_size_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "x.pth").open("wb") as stream:
        stream.truncate(10 << 30)  # sparse: ten gigabytes that take no room
    read: list[int] = []
    monkeypatch.setattr(os, "pread", lambda _, length, __: read.append(length) or b"")
    assert refusal(tmp_path / "x.pth", limit=2 << 30).code == "file_too_large"
    assert read == []


def _valid(folder: Path) -> list[bytes]:
    folder.mkdir(exist_ok=True)
    tiny = OrderedDict({"a.weight": torch.ones(2, 3, 1, 1), "a.bias": torch.zeros(2)})
    save_file(tiny, folder / "s")
    np.savez(folder / "n.npz", **arrays())
    np.save(folder / "m.npy", arrays()["conv.bias"])
    blobs = {"conv": [arrays()["conv.weight"], arrays()["conv.bias"]]}
    (folder / "c").write_bytes(caffemodel(blobs, {"conv": "Convolution"}))
    saved(folder / "z", {"state_dict": tiny, "epoch": 3})
    saved(folder / "l", {"state_dict": tiny, "epoch": 3}, legacy=True)
    return [path.read_bytes() for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return _valid(tmp_path_factory.mktemp("valid"))


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_changed_bytes_are_read_or_refused_but_never_fail_otherwise(
    valid: list[bytes], tmp_path: Path, data: st.DataObject
) -> None:
    content = bytearray(data.draw(st.sampled_from(valid)))
    for _ in range(data.draw(st.integers(1, 4))):
        # Headers and directories are at the ends: most changes go there.
        near = data.draw(st.integers(0, min(len(content) - 1, 400)))
        place = data.draw(st.sampled_from([near, len(content) - 1 - near, near * len(content) // 401]))
        content[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(1, len(content))) :]
    path = tmp_path / "changed"
    path.write_bytes(content)
    try:
        for candidate in inspect(path).candidates:
            read_tensors(path, candidate.name)
    except UnreadableWeights as error:
        assert error.code and str(error)
    except MemoryError:
        pass  # the child that reads says so in words
