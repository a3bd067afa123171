"""The supervisor's work, done in rounds: it starts queued jobs, passes on cancels, and decides every final state."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from time import monotonic, sleep

from sqlalchemy.exc import DBAPIError

from app.jobs import table
from app.jobs.devices import CPU, Device
from app.jobs.executors.base import Executor
from app.jobs.folders import announce, job_folder
from app.jobs.records import JobError, JobRecord
from app.jobs.running import Running
from app.jobs.spec import JobSpec
from app.jobs.states import ACTIVE, State
from app.jobs.tail import Tail
from app.store.engine import Store

LANES: Mapping[str, int] = {"device": 1, "light": 1}
GRACE = 5.0  # seconds from SIGTERM to SIGKILL
TICK = 0.2  # seconds between two rounds
SAVE_EVERY = 1.0  # seconds between two savings of progress
COMPLAIN_EVERY = 60.0  # seconds
LEAVE_WITHIN = 3.0  # seconds after the grace for writing the last rows

log = logging.getLogger("tessera.jobs")


class Supervisor:
    """Runs the jobs of one store until it is told to stop; `lanes` says how many jobs of each lane may run at once."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        devices: "Future[Sequence[Device]]",
        *,
        lanes: Mapping[str, int] = LANES,
        grace: float = GRACE,
        tick: float = TICK,
    ) -> None:
        self._store = store
        self._executor = executor
        self._devices = devices
        self._lanes = lanes
        self._grace = grace
        self._tick = tick
        self._running: dict[int, Running] = {}
        self._saved_at = float("-inf")
        self._complaint, self._complained_at = "", float("-inf")

    def run(self, stop: Callable[[], bool]) -> None:
        """Work until `stop()` is true, then put the running jobs back into the queue."""
        while not stop():
            self._patiently(self.step)
            sleep(self._tick)
        self._shut_down()

    def _patiently(self, step: Callable[[], None]) -> None:
        """Do a step; an error of the database, which may be locked for a while, is logged and the step tried later."""
        try:
            step()
        except DBAPIError as error:
            self._complain(str(error.orig))

    def _complain(self, why: str) -> None:
        """Log why the database did not answer: at once, and the same again only once a minute."""
        if why != self._complaint or monotonic() - self._complained_at > COMPLAIN_EVERY:
            log.warning("the database did not answer, trying again: %s", why)
            self._complaint, self._complained_at = why, monotonic()

    def step(self) -> None:
        """One round: read the table, read the running processes, start what can start."""
        with self._store.read() as session:
            jobs = table.active(session)
        self._adopt(job for job in jobs if job.state in ACTIVE and job.id not in self._running)
        for job in jobs:
            if job.cancel_requested and job.id in self._running:
                self._running[job.id].end(self._grace)
        for running in self._running.values():
            running.read()
            running.publish(self._store)
        self._conclude_ended(shutting_down=False)
        self._save_progress()
        self._claim({job.lane for job in jobs if job.state == "queued"})

    def _adopt(self, orphans: Iterable[JobRecord]) -> None:
        """Put jobs that another supervisor left running back into the queue, once their processes have ended."""
        for job in orphans:
            self._executor.clear(job_folder(self._store.workspace, job.id), job.pid)
            with self._store.write() as session:
                queued = table.requeue(session, job.id, counted=False)
                if not queued:
                    table.finish(session, job.id, "cancelled")
            self._announce(job, "queued" if queued else "cancelled")

    def _conclude_ended(self, *, shutting_down: bool) -> None:
        for running in [running for running in self._running.values() if running.status is not None]:
            decision = running.conclude(self._store, shutting_down=shutting_down)
            del self._running[running.job.id]
            self._announce(running.job, decision.state, decision.error)

    def _save_progress(self) -> None:
        """Save the progress of all jobs, in one transaction and at most once a second."""
        unsaved = [running for running in self._running.values() if running.unsaved]
        if not unsaved or monotonic() - self._saved_at < SAVE_EVERY:
            return
        with self._store.write() as session:
            for running in unsaved:
                table.save_progress(session, running.job.id, running.tail.progress, running.tail.offset)
        self._saved_at = monotonic()
        for running in unsaved:
            running.unsaved = False

    def _claim(self, waiting: set[str]) -> None:
        for lane in waiting & set(self._lanes):
            while (device := self._free_device(lane)) is not None:
                with self._store.write() as session:
                    job = table.claim(session, lane, device.name)
                if job is None:
                    break
                self._start(job, device)

    def _free_device(self, lane: str) -> Device | None:
        """A device for one more job of the lane; None while the lane is full or its devices are not known yet."""
        busy = [running.device for running in self._running.values() if running.job.lane == lane]
        if len(busy) >= self._lanes[lane]:
            return None
        if lane == "light":
            return CPU
        return min(self._devices.result(), key=busy.count) if self._devices.done() else None

    def _start(self, job: JobRecord, device: Device) -> None:
        folder = job_folder(self._store.workspace, job.id)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._spec(job, device).write(folder)
            self._announce(job, "running")
            attempt = self._executor.start(folder, device)
        except OSError as error:
            self._not_started(job, error.strerror or "unknown reason")
            return
        self._running[job.id] = Running(job, device, attempt, Tail(folder, job.event_offset, job.progress))
        with self._store.write() as session:
            table.save_pid(session, job.id, attempt.pid)

    def _spec(self, job: JobRecord, device: Device) -> JobSpec:
        return JobSpec(
            id=str(job.id),
            kind=job.kind,
            workspace=str(self._store.workspace),
            spec=job.spec,
            inputs=job.inputs,
            output=job.output,
            device=device.name,
            attempt=job.attempt,
        )

    def _not_started(self, job: JobRecord, why: str) -> None:
        error = JobError("not_started", f"The job could not be started: {why}. Resume it once that is put right.")
        with self._store.write() as session:
            table.finish(session, job.id, "failed", error)
        self._announce(job, "failed", error)

    def _announce(self, job: JobRecord, state: State, error: JobError | None = None) -> None:
        why = f" ({error.code})" if error else ""
        log.info("job %d %s, attempt %d: %s%s", job.id, job.kind, job.attempt, state, why)
        announce(self._store.workspace, job.id, state)

    def _shut_down(self) -> None:
        """Let every job save its state and end; it is queued again, and the attempt is not counted."""
        deadline = monotonic() + self._grace + LEAVE_WITHIN
        while self._running and monotonic() < deadline:
            for running in self._running.values():
                running.end(self._grace)
                running.read()
            self._patiently(lambda: self._conclude_ended(shutting_down=True))
            sleep(min(self._tick, 0.05))
