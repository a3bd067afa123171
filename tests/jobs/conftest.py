"""A queue with real supervisors over it, each a process that a test may kill."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from app.jobs import table
from app.jobs.events import EVENTS, Event, iterate_events
from app.jobs.folders import job_folder
from app.jobs.lifeline import Lifeline
from app.jobs.records import JobRecord, NewJob
from app.jobs.spec import Output
from app.store.engine import Store

PATIENCE = 60.0  # seconds; a busy machine is slow to start processes
ROOT = Path(__file__).resolve().parents[2]


class Queue:
    """A workspace with jobs in it, as the tests talk about it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.processes: list[subprocess.Popen[bytes]] = []
        self.lifelines: dict[int, Lifeline] = {}

    def add(
        self, kind: str, *, lane: str = "light", needs: tuple[int, ...] = (), output: Output | None = None, **spec: Any
    ) -> int:
        new = NewJob(kind=kind, spec=spec, inputs={}, identity=kind, lane=lane, needs=needs, output=output)
        with self.store.write() as session:
            return table.enqueue(session, new).id

    def job(self, number: int) -> JobRecord:
        with self.store.read() as session:
            found = table.get(session, number)
        assert found is not None
        return found

    def cancel(self, number: int) -> bool:
        with self.store.write() as session:
            return table.cancel(session, number)

    def supervise(self) -> "subprocess.Popen[bytes]":
        """Start one more supervisor."""
        lifeline = Lifeline.open()
        process = subprocess.Popen(
            (sys.executable, "-m", "tests.jobs.supervisor", str(self.store.workspace)),
            cwd=ROOT,
            env={**os.environ, **lifeline.environment()},
            pass_fds=(lifeline.given,),
        )
        lifeline.started()
        self.processes.append(process)
        self.lifelines[process.pid] = lifeline
        return process

    def wait(self, number: int, *states: str, within: float = PATIENCE) -> JobRecord:
        """The job once it is in one of the states."""
        return self.until(number, lambda job: job.state in states, within)

    def until(self, number: int, what: Callable[[JobRecord], bool], within: float = PATIENCE) -> JobRecord:
        deadline = monotonic() + within
        while not what(job := self.job(number)):
            assert monotonic() < deadline, f"after {within} s: {job}"
            sleep(0.02)
        return job

    def step(self, number: int, step: int) -> JobRecord:
        """The job once its own state is at that step or beyond."""
        position = job_folder(self.store.workspace, number) / "state" / "position.json"
        return self.until(number, lambda _: position.exists() and int(position.read_text()) >= step)

    def events(self, number: int, kind: str) -> list[Event]:
        path = job_folder(self.store.workspace, number) / EVENTS
        return [event for event in iterate_events(path) if event.type == kind]

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.store.close()


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    queue = Queue(Store.open(tmp_path / "workspace"))
    yield queue
    queue.close()


@pytest.fixture(scope="module")
def supervised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queue]:
    """A queue and one supervisor, for tests that let it live."""
    queue = Queue(Store.open(tmp_path_factory.mktemp("supervised")))
    queue.supervise()
    yield queue
    queue.close()


def is_alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
