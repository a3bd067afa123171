"""Files are read by children that can be lost; the process that forks them comes back, and a caller always hears."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from app.failures import BadQuery, Busy
from app.inspector.client import QUEUE, Inspector
from app.inspector.limits import seconds_for
from tests.models.foreign.files import saved, small_state

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 1 << 30


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return saved(tmp_path / "x.pth", small_state())


def test_the_process_that_forks_has_one_thread_and_no_children_left(inspector: Inspector, weights: Path) -> None:
    assert inspector.ask("inspect", weights, limit=LIMIT)["inspection"]["format"] == "torch-zip"
    tasks = Path(f"/proc/{inspector.pid}/task")
    assert len(list(tasks.iterdir())) == 1
    assert (tasks / str(inspector.pid) / "children").read_text() == ""


def test_reading_leaves_the_memory_of_the_process_as_it_was(inspector: Inspector, tmp_path: Path) -> None:
    import torch

    large = saved(tmp_path / "large.pth", {"a.weight": torch.randn(2048, 4096)})  # 32 MB

    def resident() -> int:
        return int(Path(f"/proc/{inspector.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident()
    inspector.ask("inspect", large, limit=LIMIT)
    assert resident() - before < 10 << 20


def test_a_reader_that_dies_is_told_of_and_the_next_one_reads(inspector: Inspector, weights: Path) -> None:
    with pytest.raises(BadQuery, match="brought its reader down") as crashed:
        inspector.ask("no such work", weights)  # ends outside of everything that words a refusal
    assert crashed.value.code == "reader_crashed"
    assert inspector.ask("inspect", weights, limit=LIMIT)


def test_more_questions_than_fit_are_told_to_wait(inspector: Inspector, weights: Path) -> None:
    assert inspector.pid is not None
    os.kill(inspector.pid, signal.SIGSTOP)
    outcomes: list[str] = []

    def ask() -> None:
        try:
            outcomes.append(str(inspector.ask("inspect", weights, limit=LIMIT)["inspection"]["format"]))
        except Busy as busy:
            outcomes.append(busy.code)

    callers = [threading.Thread(target=ask) for _ in range(QUEUE + 3)]
    for caller in callers:
        caller.start()
    end = time.monotonic() + 60
    while len(outcomes) < 3 and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(inspector.pid, signal.SIGCONT)
    for caller in callers:
        caller.join(60)
    assert sorted(outcomes) == ["inspector_busy"] * 3 + ["torch-zip"] * QUEUE


def test_a_lost_process_is_told_at_once_and_comes_back(inspector: Inspector, weights: Path) -> None:
    first = inspector.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    heard: list[str] = []

    def ask() -> None:
        with pytest.raises(Busy, match="was lost") as lost:
            inspector.ask("inspect", weights, limit=LIMIT)
        heard.append(lost.value.code)

    caller = threading.Thread(target=ask)
    caller.start()
    time.sleep(0.2)
    os.kill(first, signal.SIGKILL)
    caller.join(20)
    assert heard == ["inspector_lost"]
    assert inspector.ask("inspect", weights, limit=LIMIT) and inspector.pid not in (None, first)


@pytest.mark.parametrize(
    ("work", "ends"),
    [("while True: pass", -signal.SIGXCPU), ("bytearray(2 << 30)", 1), ("bytearray(1 << 28)", 0)],
)
def test_a_reader_is_bounded_in_time_and_memory(work: str, ends: int) -> None:
    """A second of computing; its own size and a gigabyte."""
    code = f"from app.inspector import limits; limits.SECONDS = 1; limits.confine(0, times=2)\n{work}"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == ends and (ends != 1 or "MemoryError" in ran.stderr)


def test_where_the_system_refuses_to_bound_memory_time_is_bounded_all_the_same() -> None:
    code = (
        "import resource, sys; sys.platform = 'darwin'; from app.inspector import limits; "
        "before = resource.getrlimit(resource.RLIMIT_AS); limits.confine(0, times=2); "
        "assert resource.getrlimit(resource.RLIMIT_AS) == before; "
        "assert resource.getrlimit(resource.RLIMIT_CPU)[0] == limits.SECONDS"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr


def test_time_grows_with_the_file() -> None:
    assert seconds_for(0) == 30 and seconds_for(2 << 30) == 120
