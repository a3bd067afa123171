"""What commands run without a server: services, and a supervisor or a predictor for as long as they need one."""

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

POLL = 0.25  # seconds between two readings of a job's row
PREDICTOR_START = 120.0  # seconds; importing torch from a slow disk may take most of a minute
END_STATES = (*ENDED, "blocked")


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Services]:
    """The services of a workspace, which is made where it is new; no other process is started."""
    services = build_services(settings)
    ensure_random_init(services.checkpoints)
    try:
        yield services
    finally:
        services.store.close()


@contextlib.contextmanager
def supervised(settings: Settings) -> Iterator[None]:
    """Jobs run inside the block: by a supervisor that is there already, or by one that is started here."""
    supervisor = SupervisorProcess(settings, quiet=True)
    supervisor.start()
    try:
        yield
    finally:
        supervisor.close()


@dataclass(frozen=True)
class JobProgress:
    """A job's progress as its row says: `step` of `total` units, `rate` in units a second."""

    state: str
    step: int
    total: int | None
    unit: str
    rate: float | None
    eta_seconds: float | None
    metrics: dict[str, float]


def follow(services: Services, job_id: int, show: Callable[[JobProgress], None]) -> JobRecord:
    """Wait until a job has ended or is blocked, and call `show` with its progress at every reading."""
    while True:
        job = services.jobs.get(job_id)
        show(progress_of(job))
        if job.state in END_STATES:
            return job
        time.sleep(POLL)


def progress_of(job: JobRecord) -> JobProgress:
    """The progress in a job's row, with defaults for what is missing."""
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
    """Services with a running predictor. Raises Busy where it does not start.

    `check` is called before it is started, to raise the errors that can be known without it.
    """
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
