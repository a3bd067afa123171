"""Runs attempts of jobs as processes of this machine."""

import contextlib
import fcntl
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep

from app import children, processes
from app.jobs import logs
from app.jobs.devices import Device
from app.jobs.lifeline import Lifeline
from app.jobs.run import LOCK, LOG

ENTRY = ("-m", "app.jobs.run")
NICE = 10  # added to the niceness of jobs, so that the server comes first
ORPHAN_WAIT = 3.0  # seconds in which the job of a dead supervisor should notice that its lifeline was closed


class LocalAttempt:
    """An attempt: a process in a session of its own, which ends when `lifeline` is closed."""

    def __init__(self, process: "subprocess.Popen[bytes]", lifeline: Lifeline, log: Path) -> None:
        self._process = process
        self._lifeline = lifeline
        self._log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    def status(self) -> int | None:
        logs.trim(self._log)
        if self._process.returncode is None and self._has_ended():
            self._kill_group()
            self._process.wait()
            self._lifeline.close()
        return self._process.returncode

    def terminate(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()

    def kill(self) -> None:
        if self._process.returncode is None:
            self._kill_group()

    def _has_ended(self) -> bool:
        """Whether the process has ended; where the system allows, this leaves it unreaped.

        While a process is not reaped, no other process group can get its number, so killing the group is safe. Python
        can look without reaping on Linux, and on macOS from 3.13 on. Elsewhere the group is killed right after reaping:
        its number stays taken while it has members, and a freed number is reused only after all others were.
        """
        if hasattr(os, "waitid"):
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return self._process.poll() is not None

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


class LocalExecutor:
    """Starts jobs as subprocesses. Tests replace `entry` to run kinds of jobs of their own."""

    def __init__(self, entry: Sequence[str] = ENTRY, nice: int = NICE) -> None:
        self._entry = tuple(entry)
        self._nice = nice

    def start(self, folder: Path, device: Device) -> LocalAttempt:
        lifeline = Lifeline.open()
        try:
            with (folder / LOG).open("ab") as log:
                process = children.start(
                    *self._entry,
                    str(folder),
                    stdout=log,
                    stderr=log,
                    environment=_environment(device, lifeline),
                    pass_fds=(lifeline.given,),
                    own_session=True,
                )
        except OSError:
            lifeline.close()
            raise
        finally:
            lifeline.started()
        with contextlib.suppress(OSError):  # the process may have ended already
            os.setpriority(os.PRIO_PROCESS, process.pid, min(19, os.getpriority(os.PRIO_PROCESS, 0) + self._nice))
        return LocalAttempt(process, lifeline, folder / LOG)

    def clear(self, folder: Path, pid: int | None) -> None:
        deadline = monotonic() + ORPHAN_WAIT
        while _locked(folder / LOCK):
            if monotonic() > deadline and pid is not None and processes.has_word(pid, str(folder)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if monotonic() > deadline + ORPHAN_WAIT:
                return  # the next attempt waits for the lock itself, and is queued again if it cannot get it
            sleep(0.02)


def _environment(device: Device, lifeline: Lifeline) -> dict[str, str]:
    environment = {**os.environ, **lifeline.environment(), "PYTHONUNBUFFERED": "1"}
    if environment.get("OMP_NUM_THREADS") == "1":
        del environment["OMP_NUM_THREADS"]  # the server's setting for its searches; jobs use all cores
    if device.visible is not None:
        environment["CUDA_VISIBLE_DEVICES"] = device.visible
    return environment


def _locked(path: Path) -> bool:
    """Whether a process holds the lock on the file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
