"""What an attempt's end means, and which devices a machine has."""

import subprocess
from typing import Any

import pytest

from app.jobs import devices
from app.jobs.devices import CPU, Device
from app.jobs.lifeline import DISK_FULL, REQUEUE
from app.jobs.records import JobError
from app.jobs.verdict import Verdict, verdict

BROKEN = JobError("broken", "It broke.")


@pytest.mark.parametrize(
    ("status", "facts", "state", "counted"),
    [
        (0, {}, "done", True),
        (1, {"error": BROKEN}, "failed", True),
        (2, {}, "failed", True),
        (REQUEUE, {}, "queued", True),
        (-9, {}, "queued", True),
        (-9, {"attempt": 3}, "failed", True),
        (REQUEUE, {"attempt": 3}, "failed", True),
        (REQUEUE, {"attempt": 3, "shutting_down": True}, "queued", False),
        (-9, {"shutting_down": True}, "queued", False),
        (1, {"shutting_down": True, "error": BROKEN}, "failed", True),
        (0, {"shutting_down": True}, "done", True),
        (REQUEUE, {"cancelled": True}, "cancelled", True),
        (-9, {"cancelled": True, "shutting_down": True}, "cancelled", True),
        (0, {"cancelled": True}, "cancelled", True),
    ],
)
def test_the_end_of_an_attempt_decides_the_state(status: int, facts: dict[str, Any], state: str, counted: bool) -> None:
    found = verdict(status, **{"attempt": 1, "max_attempts": 3, "cancelled": False, **facts})
    assert (found.state, found.counted) == (state, counted)


def test_a_failure_carries_what_the_job_said() -> None:
    assert verdict(1, attempt=1, max_attempts=3, cancelled=False, error=BROKEN) == Verdict("failed", BROKEN)


def test_a_disk_too_full_for_any_word_is_known_by_the_exit_status() -> None:
    found = verdict(DISK_FULL, attempt=1, max_attempts=3, cancelled=False)
    assert found.state == "failed" and found.error is not None and found.error.code == "disk_full"


def test_a_job_that_was_lost_too_often_says_so() -> None:
    found = verdict(-9, attempt=3, max_attempts=3, cancelled=False)
    assert found.error is not None
    assert found.error.code == "worker_lost"
    assert "memory" in found.error.message


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_: object, **__: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess((), 0, stdout="0, 70000\n1, 12\n")

    monkeypatch.setattr(devices, "_torch_has_cuda", lambda: True)
    monkeypatch.setattr(devices.shutil, "which", lambda _: "/bin/true")
    monkeypatch.setattr(devices.subprocess, "run", answer)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("two_gpus")
def test_the_emptiest_gpu_comes_first_and_only_allowed_ones_are_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices.devices("auto") == (Device("cuda", "1"), Device("cuda", "0"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert devices.devices("auto") == (Device("cuda", "0"),)
    assert devices.devices("cuda:1") == (Device("cuda", "1"),)
    assert devices.devices("cpu") == (CPU,)


def test_without_a_gpu_jobs_run_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "inventory", list)
    assert devices.devices("auto") == (CPU,)
    assert devices.devices("cuda") == (Device("cuda", None),)
