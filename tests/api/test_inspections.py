"""A file of weights by REST: sent or named, looked into in a child process, refused in words."""

import os
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch

from app.inspector.client import Inspector
from app.settings import Settings
from tests.conftest import Client, Clients
from tests.models.foreign.files import malicious, safetensors_bytes, saved, small_state

Answer = dict[str, Any]


@pytest.fixture
def web(client: Client, inspector: Inspector) -> Client:
    """A client of an empty workspace whose files are read by the run's one inspector."""
    client.app.state.services.inspections.inspector = inspector
    return client


def send(web: Client, path: Path, name: str | None = None) -> httpx.Response:
    return web.post("/api/checkpoints/inspect", files={"file": (name or path.name, path.read_bytes())})


def refused(answer: httpx.Response, status: int, code: str) -> str:
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    message = str(answer.json()["error"]["message"])
    assert "/" + "tmp" not in answer.text and message.endswith(".")
    return message


def kept(web: Client) -> set[str]:
    folder = web.app.state.services.inspections.arrivals
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_an_uploaded_file_is_looked_into(web: Client, tmp_path: Path) -> None:
    path = saved(tmp_path / "moco.pth.tar", {"epoch": 200, "state_dict": small_state(prefix="module.")})
    answer = send(web, path, "../../etc/<b>moco</b>.pth.tar")
    assert answer.status_code == 201
    found: Answer = answer.json()
    assert (found["name"], found["format"], found["bytes"]) == ("b>.pth.tar", "torch-zip", path.stat().st_size)
    assert (found["metadata"], found["choose"], found["uploaded"]) == ({"epoch": 200}, False, True)
    (candidate,) = found["candidates"]
    assert (candidate["name"], candidate["prefix"]) == ("state_dict", "module.")
    shapes = {tensor["name"]: tensor["shape"] for tensor in candidate["tensors"]}
    assert shapes == {key: list(value.shape) for key, value in small_state().items()}
    assert web.get(found["links"]["self"]).json() == found
    assert send(web, path).json()["inspection"] == found["inspection"] == found["sha256"]
    (listed,) = web.get("/api/checkpoints/inspect").json()["inspections"]
    assert (listed["name"], listed["inspection"]) == ("moco.pth.tar", found["inspection"])
    assert (web.app.state.services.inspections.arrivals / found["sha256"] / "weights").read_bytes() == path.read_bytes()


def test_a_file_on_the_server_is_named_by_its_path(web: Client, tmp_path: Path) -> None:
    path = saved(tmp_path / "dino.pth", {"student": small_state(), "teacher": small_state(1)})
    found: Answer = web.post("/api/checkpoints/inspect", json={"path": str(path)}).json()
    assert [it["name"] for it in found["candidates"]] == ["student", "teacher"]
    assert found["choose"] and not found["uploaded"] and str(path.parent) not in str(found)
    path.unlink()


def test_paths_outside_the_roots_and_what_is_no_file_are_refused(web: Client, tmp_path: Path) -> None:
    root = tmp_path

    def ask(path: str) -> httpx.Response:
        return web.post("/api/checkpoints/inspect", json={"path": path})

    refused(ask("/etc/shadow"), 403, "outside_roots")
    link = root / "innocent.pth"
    link.symlink_to("/etc/shadow")
    refused(ask(str(link)), 403, "outside_roots")
    link.unlink()
    refused(ask("weights.pth"), 422, "not_a_file")
    refused(ask(str(root)), 422, "not_a_file")
    refused(ask(str(root / "nothing.pth")), 404, "input_missing")
    os.mkfifo(root / "pipe.pth")
    refused(ask(str(root / "pipe.pth")), 422, "not_a_file")
    (root / "pipe.pth").unlink()
    with (root / "huge.pth").open("wb") as stream:
        stream.truncate(10 << 30)
    refused(ask(str(root / "huge.pth")), 413, "file_too_large")
    (root / "huge.pth").unlink()


def test_hostile_files_are_refused_and_leave_nothing(web: Client, tmp_path: Path) -> None:
    before = kept(web)
    canary = tmp_path / "canary"
    assert "was not opened" in refused(send(web, malicious(tmp_path / "m", canary, "zip")), 422, "unsafe_checkpoint")
    assert not canary.exists()
    (tmp_path / "s").write_bytes(safetensors_bytes(b"{nonsense}"))
    refused(send(web, tmp_path / "s"), 422, "bad_safetensors")
    refused(send(web, saved(tmp_path / "e", {"a": torch.zeros(1).expand(200_000, 200_000)})), 422, "expanded_tensor")
    (tmp_path / "h").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99))
    assert "numpy.savez" in refused(send(web, tmp_path / "h"), 415, "unsupported_format")
    (tmp_path / "nothing").write_bytes(b"")
    assert "is empty" in refused(send(web, tmp_path / "nothing"), 422, "not_a_checkpoint")
    assert kept(web) == before


def test_files_with_changed_bytes_are_answered_never_failed(web: Client, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    files = [saved(tmp_path / str(legacy), {"model": small_state()}, legacy=legacy) for legacy in (False, True)]
    for number in range(24):
        content = bytearray(files[number % 2].read_bytes())
        for place in rng.integers(0, len(content), 3):
            content[int(place)] = int(rng.integers(0, 256))
        (tmp_path / "changed").write_bytes(content[: None if number % 3 else int(rng.integers(1, len(content)))])
        assert send(web, tmp_path / "changed").status_code in (201, 415, 422), number


def test_what_would_fill_the_memory_is_stopped(web: Client, tmp_path: Path) -> None:
    """A legacy file of a kilobyte whose storage claims eight gigabytes."""
    path = saved(tmp_path / "x.pth", {"a.weight": torch.zeros(1000)}, legacy=True)
    path.write_bytes(path.read_bytes().replace(b"M\xe8\x03", b"J\x00\x00\x00\x7f"))
    assert "memory" in refused(send(web, path), 422, "memory_limit")


def test_bodies_that_bring_no_file_are_refused(web: Client) -> None:
    where = "/api/checkpoints/inspect"
    refused(web.post(where, json={"path": 3}), 422, "invalid_body")
    refused(web.post(where, content=b"abc", headers={"content-type": "text/plain"}), 415, "unsupported_content_type")
    refused(web.post(where, files={"weights": b"abc"}), 422, "unknown_field")
    refused(web.post(where, files=[("file", b"abc"), ("file", b"abc")]), 422, "too_many_files")
    refused(web.post(where, files={"file": b"abc"}, data={"name": "x"}), 422, "unknown_field")
    refused(web.post(where), 415, "unsupported_content_type")


def test_larger_files_than_the_setting_says_are_refused(settings: Settings, client_for: Clients) -> None:
    client = client_for(settings.model_copy(update={"checkpoint_mb": 1}))
    answer = client.post("/api/checkpoints/inspect", files={"file": bytes(2 << 20)})
    refused(answer, 413, "too_large")
    assert not list(settings.workspace.glob("inputs/*"))


@pytest.mark.parametrize("name", ["0" * 64, "inspection.json", "a%2Fb", "0" * 63])
def test_an_unknown_inspection_is_not_found(web: Client, name: str) -> None:
    assert web.get(f"/api/inspections/{name}").status_code == 404
