"""The command line's own hands: services without a server, a supervisor or a predictor for as long as one is needed."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.failures import Busy
from app.jobs.launch import SupervisorProcess
from app.jobs.records import JobRecord
from app.jobs.states import ENDED
from app.predictor.client import Predictor
from app.services.assembly import build_services
from app.services.checkpoints.bundled import ensure_random_init
from app.services.services import Services
from app.settings import Settings

POLL = 0.25
PREDICTOR_START = 120.0  # seconds: a cold disk may need most of a minute to import torch
END_STATES = (*ENDED, "blocked")


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Services]:
    """The services of a workspace, made where it is new; nothing runs behind them."""
    services = build_services(settings)
    ensure_random_init(services.checkpoints)
    try:
        yield services
    finally:
        services.store.close()


@contextlib.contextmanager
def supervised(settings: Settings) -> Iterator[None]:
    """Somebody runs jobs while the block lasts: the supervisor that is there, and ours from the moment it leaves."""
    supervisor = SupervisorProcess(settings, quiet=True)
    supervisor.start()
    try:
        yield
    finally:
        supervisor.close()


@dataclass(frozen=True)
class JobProgress:
    """How far a job is, as its row says."""

    state: str
    step: int
    total: int | None
    unit: str
    rate: float | None
    eta_seconds: float | None
    metrics: dict[str, float]


def follow(services: Services, job_id: int, show: Callable[[JobProgress], None]) -> JobRecord:
    """Look at a job until it has ended or is blocked; calls `show` at every look."""
    while True:
        job = services.jobs.get(job_id)
        show(progress_of(job))
        if job.state in END_STATES:
            return job
        time.sleep(POLL)


def progress_of(job: JobRecord) -> JobProgress:
    """The row's progress with its blanks filled in."""
    latest = job.progress
    return JobProgress(
        state=job.state,
        step=int(latest.get("step") or 0),
        total=latest.get("total"),
        unit=str(latest.get("unit") or ""),
        rate=latest.get("rate"),
        eta_seconds=latest.get("eta_seconds"),
        metrics=dict(latest.get("metrics") or {}),
    )


@contextlib.contextmanager
def predicting(settings: Settings, check: Callable[[Services], object]) -> Iterator[Services]:
    """Services whose predictor runs; `check` raises what can be known before it is started. Raises Busy."""
    predictor = Predictor(settings)
    services = build_services(settings, predictor=predictor)
    ensure_random_init(services.checkpoints)
    try:
        check(services)
        predictor.start()
        if not predictor.wait_ready(PREDICTOR_START):
            raise Busy("predictor_starting", "The process that runs the network did not start; try `tessera doctor`.")
        yield services
    finally:
        predictor.close()
        services.store.close()
