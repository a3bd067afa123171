"""Serving: one server per workspace, the next free port, a good end."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.failures import Conflict, Forbidden
from app.serving import Address, bind, running_url, serve
from app.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """
import sys
from app.serving import serve
from app.settings import Settings
settings = Settings(workspace=sys.argv[1], port=int(sys.argv[2]))
serve(settings, lambda address: print(address.url, flush=True), start_children=False)
"""


@contextmanager
def serving(workspace: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, and its address."""
    command = [sys.executable, "-c", PROGRAM, str(workspace), str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def busy_port() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@pytest.mark.jobs
def test_a_server_takes_the_next_free_port_answers_and_leaves_with_zero(tmp_path: Path) -> None:
    with busy_port() as taken, serving(tmp_path / "w", taken.getsockname()[1]) as (process, url):
        port = int(url.rstrip("/").rsplit(":", 1)[1])
        assert port > taken.getsockname()[1]
        assert httpx.get(f"{url}healthz").json()["status"] == "ok"
        assert running_url(tmp_path / "w") == url

        said: list[Address] = []
        again = serve(Settings(workspace=tmp_path / "w"), said.append)
        assert again.already and again.url == url and said == [again] and f"-L {port}:127.0.0.1:{port}" in again.tunnel

        assert too_long(url) == 413
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert running_url(tmp_path / "w") is None and not (tmp_path / "w" / "serve.json").exists()


def too_long(url: str) -> int:
    """The answer to 300 MB of unknown length."""
    body = (b" " * 1_000_000 for _ in range(300))
    return httpx.post(f"{url}api/jobs", content=body, headers={"content-type": "application/json"}).status_code


def test_a_record_left_by_a_dead_server_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "serve.json").write_text(json.dumps({"url": "http://127.0.0.1:1/", "instance": "x"}))
    assert running_url(tmp_path) is None
    (tmp_path / "serve.json").write_text("torn")
    assert running_url(tmp_path) is None


def test_where_no_port_is_free_the_message_says_which_were_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.serving.PORTS_TO_TRY", 1)
    with busy_port() as taken, pytest.raises(Conflict, match="--port"):
        bind("127.0.0.1", taken.getsockname()[1])


def test_an_address_of_another_machine_is_refused_in_words() -> None:
    with pytest.raises(Conflict, match=r"192\.0\.2\.1"):
        bind("192.0.2.1", 8642)


def test_serving_others_without_a_token_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(Forbidden, match="token"):
        serve(Settings(workspace=tmp_path / "w", host="0.0.0.0"))
    assert not (tmp_path / "w").exists()
