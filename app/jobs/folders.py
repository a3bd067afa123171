"""The folder of a job, and what the queue itself writes there."""

import logging
from pathlib import Path

from app.jobs.events import EVENTS, EventWriter
from app.jobs.states import State

log = logging.getLogger("tessera.jobs")


def job_folder(workspace: Path, job_id: int) -> Path:
    """Where a job keeps its spec, events, log and state."""
    return workspace / "jobs" / str(job_id)


def announce(workspace: Path, job_id: int, state: State) -> None:
    """Tell those who watch the job's events that it has another state now; the row says so already."""
    folder = job_folder(workspace, job_id)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with EventWriter(folder / EVENTS) as events:
            events.write("state", {"state": state})
    except OSError as error:  # a full disk must not keep the job from moving on
        log.warning("job %d: its state could not be announced: %s", job_id, error.strerror)
