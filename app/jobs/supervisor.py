"""The supervisor, the process that runs a workspace's jobs: `python -m app.jobs.supervisor WORKSPACE`.

A file lock keeps it the only one in its workspace. It ends when its parent ends, its jobs end when it does, and the
next supervisor puts the jobs that were running back into the queue.
"""

import fcntl
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from time import sleep

from app.jobs import devices, lifeline
from app.jobs.devices import Device
from app.jobs.executors.local import ENTRY, LocalExecutor
from app.jobs.supervision import GRACE, LEAVE_WITHIN, TICK, Supervisor
from app.settings import Settings
from app.store.engine import Store
from app.store.migrations import SchemaTooNew
from models.atomic import sweep

LOCK = "supervisor.lock"
LEFT_HALF = ("jobs", "galleries", "checkpoints", "scans")  # folders in which only jobs leave temporary files behind

log = logging.getLogger("tessera.jobs")


class Stop:
    """A flag that a signal handler may set, because it takes no lock."""

    def __init__(self) -> None:
        self._set = False

    def __call__(self) -> bool:
        return self._set

    def now(self, *_: object) -> None:
        self._set = True


def _only_one(workspace: Path, stop: Stop) -> int | None:
    """Take the workspace's lock, waiting for another supervisor to end; None where `stop` comes first."""
    descriptor = os.open(workspace / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    waiting = False
    while not stop():
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)  # only for people to read
            return descriptor
        except BlockingIOError:
            if not waiting:
                log.info("another supervisor works in this workspace; waiting for it to end")
            waiting = True
            sleep(TICK)
    return None


def is_supervised(workspace: Path) -> bool:
    """Whether a supervisor is running in the workspace."""
    try:
        descriptor = os.open(workspace / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _leave_with_parent(stop: Stop, grace: float) -> None:
    """Stop in order when the parent has ended; where that takes too long, end at once."""

    def ended() -> None:
        stop.now()
        sleep(grace + 2 * LEAVE_WITHIN)
        lifeline.leave()

    lifeline.watch(ended)


def _ask_devices(setting: str) -> "Future[Sequence[Device]]":
    """Ask for the devices in a thread, so that light jobs and cancels need not wait for a slow driver."""
    answer: Future[Sequence[Device]] = Future()
    threading.Thread(target=lambda: answer.set_result(devices.devices(setting)), daemon=True).start()
    return answer


def supervise(settings: Settings, *, entry: Sequence[str] = ENTRY, grace: float = GRACE, tick: float = TICK) -> int:
    """Supervise the workspace's jobs until a signal comes or the parent ends; returns the exit status."""
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop.now)
    _leave_with_parent(stop, grace)
    try:
        store = Store.open(settings.workspace, settings.database_url)
    except SchemaTooNew as error:
        sys.stderr.write(f"{error}\n")
        return 2
    lock = _only_one(store.workspace, stop)
    if lock is not None:
        sweep(store.workspace / name for name in LEFT_HALF)
        log.info("supervising %s", store.workspace)
        Supervisor(store, LocalExecutor(entry), _ask_devices(settings.device), grace=grace, tick=tick).run(stop)
        os.close(lock)
    store.close()
    return 0


def main(arguments: Sequence[str]) -> int:
    """Supervise the workspace that the command line names; other settings come from the environment."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m app.jobs.supervisor WORKSPACE\n")
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    return supervise(Settings(workspace=Path(arguments[0])))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
