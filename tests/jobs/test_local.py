"""An attempt that has ended takes along whatever it started, whether or not the system looks without reaping."""

import os
from pathlib import Path
from time import monotonic, sleep

import pytest

from app.jobs.devices import CPU
from app.jobs.executors.local import LocalExecutor
from tests.jobs.conftest import PATIENCE, is_alive

LEAVES_A_CHILD = """
import pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1], "child").write_text(str(child.pid))
sys.exit(3)
"""


@pytest.mark.parametrize("looks_without_reaping", [True, False])
def test_what_an_attempt_started_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks_without_reaping: bool
) -> None:
    if not looks_without_reaping:  # macOS before Python 3.13
        monkeypatch.delattr(os, "waitid", raising=False)
    attempt = LocalExecutor(("-c", LEAVES_A_CHILD)).start(tmp_path, CPU)
    deadline = monotonic() + PATIENCE
    while (status := attempt.status()) is None:
        assert monotonic() < deadline
        sleep(0.02)
    assert status == attempt.status() == 3
    child = int((tmp_path / "child").read_text())
    while is_alive(child):  # it was sent the signal; it is another's to reap
        assert monotonic() < deadline
        sleep(0.02)
