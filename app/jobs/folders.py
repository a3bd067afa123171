"""The folder of a job, and the events that the queue itself writes there."""

import logging
from pathlib import Path

from app.jobs.events import EVENTS, EventWriter
from app.jobs.states import State

log = logging.getLogger("tessera.jobs")


def job_folder(workspace: Path, job_id: int) -> Path:
    """The folder with a job's spec, events, log and state."""
    return workspace / "jobs" / str(job_id)


def announce(workspace: Path, job_id: int, state: State) -> None:
    """Write an event that the job has this state now; the caller has changed its row before."""
    folder = job_folder(workspace, job_id)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with EventWriter(folder / EVENTS) as events:
            events.write("state", {"state": state})
    except OSError as error:  # a full disk must not stop the job
        log.warning("job %d: its state could not be announced: %s", job_id, error.strerror)
