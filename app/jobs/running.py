"""A running attempt as the supervisor handles it, until its end."""

import logging
from dataclasses import dataclass, replace
from time import monotonic

from sqlalchemy.orm import Session

from app.jobs import registration, table
from app.jobs.devices import Device
from app.jobs.executors.base import Attempt
from app.jobs.records import JobError, JobRecord
from app.jobs.registration import Register
from app.jobs.tail import Tail
from app.jobs.verdict import Verdict, verdict
from app.store.engine import Store

log = logging.getLogger("tessera.jobs")


@dataclass
class Running:
    """One running attempt and its events.

    `status` is its exit status, None while it runs. `unsaved` says that there is progress to write to its row.
    `term_at` is the monotonic time at which it was asked to end, None where it was not.
    """

    job: JobRecord
    device: Device
    attempt: Attempt
    tail: Tail
    status: int | None = None
    unsaved: bool = False
    term_at: float | None = None

    def read(self) -> None:
        """Read the exit status and then the events, so that all events are there once the process has ended."""
        if self.status is None:
            self.status = self.attempt.status()
        self.unsaved |= self.tail.read()

    def publish(self, store: Store) -> None:
        """Register the present part of a growing result; at the end of the job all of it is registered."""
        output = self.job.output
        read = None if output is None else registration.reader(output.kind)
        if not self.tail.grown or output is None or read is None or self.status is not None:
            return
        try:
            register = read(store.path(output.path), output, self.job.id, self.job.spec)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("job %d said that its %s has grown, but it cannot be read: %r", self.job.id, output.kind, error)
        else:
            with store.write() as session:
                register(session)
        self.tail.grown = False

    def end(self, grace: float) -> None:
        """Send SIGTERM at the first call, and SIGKILL once `grace` seconds have passed since."""
        if self.term_at is None:
            self.term_at = monotonic()
            self.attempt.terminate()
        elif monotonic() - self.term_at > grace:
            self.attempt.kill()

    def conclude(self, store: Store, *, shutting_down: bool) -> Verdict:
        """Write the job's next state and its artefact's row, in one transaction."""
        register, error = self._artefact(store)
        with store.write() as session:
            decision = self._verdict(session, error, shutting_down)
            table.save_progress(session, self.job.id, self.tail.progress, self.tail.offset)
            if decision.state == "queued":
                table.requeue(session, self.job.id, counted=decision.counted)
            else:
                ended = table.finish(session, self.job.id, decision.state, decision.error)
                if ended and decision.state == "done" and register is not None:
                    register(session)
        return decision

    def _verdict(self, session: Session, error: JobError | None, shutting_down: bool) -> Verdict:
        job = table.get(session, self.job.id) or self.job  # read again, because it may have been cancelled
        decision = verdict(
            1 if self.status is None else self.status,
            attempt=job.attempt,
            max_attempts=job.max_attempts,
            cancelled=job.cancel_requested,
            shutting_down=shutting_down,
            error=self.tail.error,
        )
        return replace(decision, state="failed", error=error) if error and decision.state == "done" else decision

    def _artefact(self, store: Store) -> tuple[Register | None, JobError | None]:
        """The function that registers the artefact of a job that ended well, or the error where it left none."""
        output = self.job.output
        read = None if output is None else registration.reader(output.kind)
        if self.status != 0 or output is None or read is None:
            return None, None
        try:
            if (output.kind, output.slug) not in self.tail.artefacts:
                raise FileNotFoundError(output.path)
            return read(store.path(output.path), output, self.job.id, self.job.spec), None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("job %d left no readable %s: %r", self.job.id, output.kind, error)
            return None, JobError("no_artefact", f"The job ended well, but left no readable {output.kind}.")
