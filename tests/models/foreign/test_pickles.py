"""Names that a pickle asks for are found however they are written."""

import collections
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch

from models.foreign.inspecting import inspect
from models.foreign.pickles import _globals
from models.foreign.weights import UnreadableWeights
from tests.models.foreign.files import small_state


def asked(value: Any, protocol: int) -> set[str]:
    return set(_globals(pickle.dumps(value, protocol=protocol)))


@pytest.mark.parametrize("protocol", range(6))
def test_repeated_names_come_from_the_memo_and_are_whole(protocol: int) -> None:
    space, counter = types.SimpleNamespace(a=1), collections.Counter("ab")
    value = {"num_batches": space, "names": ["os", "system"], "again": [counter, space, (1, {2}, b"x")]}
    value["twice"] = types.SimpleNamespace(b=collections.Counter("c"))
    plain = ("builtins", "__builtin__", "_codecs", "copy")
    found = {name for name in asked(value, protocol) if not name.startswith(plain)}
    assert found == {"types.SimpleNamespace", "collections.Counter"}


@pytest.mark.parametrize("protocol", [4, 5])
def test_a_plain_state_of_a_newer_protocol_is_not_accused_of_code(tmp_path: Path, protocol: int) -> None:
    torch.save(small_state(), tmp_path / "net.pth", pickle_protocol=protocol)
    with pytest.raises(UnreadableWeights, match="pickle protocol that is not read safely") as refused:
        inspect(tmp_path / "net.pth")
    assert refused.value.code == "not_a_checkpoint"


@pytest.mark.parametrize("name", ["PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath"])
@pytest.mark.parametrize("module", ["pathlib", "pathlib._local"])
def test_paths_are_text_as_every_python_writes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    kind = type(name, (), {"__module__": module, "__reduce__": lambda self: (type(self), ("data", "imagenet"))})
    there = types.ModuleType(module)
    setattr(there, name, kind)
    with monkeypatch.context() as patched:  # as if this were the module that the path's class lies in
        patched.setitem(sys.modules, module, there)
        torch.save({"state_dict": small_state(), "root": kind()}, tmp_path / "net.pth")
    assert f"{module}\n{name}".encode() in (tmp_path / "net.pth").read_bytes()
    assert inspect(tmp_path / "net.pth").candidates
