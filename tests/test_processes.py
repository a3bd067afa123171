"""What is told of a process is the same from /proc and, where there is none, from `ps`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import processes

PLACE = "/srv/my photos/jobs/12"


@pytest.fixture(params=["/proc", "ps"])
def source(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "ps":
        if shutil.which("ps") is None:
            pytest.skip("needs ps")
        monkeypatch.setattr(processes, "PROC", tmp_path / "none")
    elif not processes.PROC.exists():
        pytest.skip("needs /proc")
    return str(request.param)


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    """A process whose command line ends with a folder; it has said that it runs."""
    code = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, PLACE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline()
        yield process
        process.kill()


@pytest.mark.usefixtures("source")
def test_a_process_is_known_by_a_whole_word_of_its_command_line(child: "subprocess.Popen[bytes]") -> None:
    assert processes.has_word(child.pid, PLACE)
    assert not processes.has_word(child.pid, PLACE[:-1])  # job 1 is not job 12
    child.kill()
    child.wait()
    assert not processes.has_word(child.pid, PLACE)


@pytest.mark.usefixtures("source")
def test_the_memory_of_this_process_is_told() -> None:
    assert 10 << 20 < processes.resident_bytes() < 1 << 40


def test_where_nothing_tells_nothing_is_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PROC", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert processes.resident_bytes() == processes.address_space() == 0
    assert not processes.has_word(os.getpid(), sys.executable)
