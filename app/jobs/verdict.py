"""Decides from the end of an attempt which state its job gets."""

import signal
from dataclasses import dataclass

from app.jobs.lifeline import DISK_FULL, REQUEUE
from app.jobs.records import JobError
from app.jobs.states import State

DISK_WAS_FULL = JobError("disk_full", "The disk is full. Make room, then resume this job: it goes on where it was.")
UNEXPLAINED = JobError("error", "The job ended without saying why; its log may tell.")


@dataclass(frozen=True)
class Verdict:
    """The next state of the job; `counted` says whether a requeued attempt counts as one of those allowed."""

    state: State
    error: JobError | None = None
    counted: bool = True


def _lost(status: int, attempt: int) -> JobError:
    why = "its process was lost"
    if status == -signal.SIGKILL:
        why = "its process was killed, likely because memory ran out"
    elif status < 0:
        why = f"its process ended by signal {-status}"
    return JobError("worker_lost", f"After {attempt} attempts the job was given up: {why}. Resume it to try again.")


def verdict(
    status: int,
    *,
    attempt: int,
    max_attempts: int,
    cancelled: bool,
    shutting_down: bool = False,
    error: JobError | None = None,
) -> Verdict:
    """The verdict on an attempt by its exit status; `error` is what the attempt itself reported about its failure."""
    if cancelled:
        return Verdict("cancelled")
    if status == 0:
        return Verdict("done")
    if status == REQUEUE or status < 0:
        if shutting_down:
            return Verdict("queued", counted=False)
        return Verdict("queued") if attempt < max_attempts else Verdict("failed", _lost(status, attempt))
    return Verdict("failed", error or (DISK_WAS_FULL if status == DISK_FULL else UNEXPLAINED))
