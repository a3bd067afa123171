"""The queue: reads the table of jobs, and moves jobs between states, each time only from the states that are expected.

Every function runs in the caller's transaction, which must be a write transaction where it changes something.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from sqlalchemy import CursorResult, exists, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.jobs.needs import block_dependents, broken_need, unblock_dependents
from app.jobs.records import JobError, JobRecord, NewJob, record
from app.jobs.spec import Output
from app.jobs.states import ACTIVE, WAITING, State
from app.store.tables import CheckpointRow, ClusteringRow, GalleryRow, JobNeed, JobRow, ScanRow, now

MAX_ATTEMPTS = 3  # for each submission, and again for each resume
SLUGS: Mapping[str, InstrumentedAttribute[str]] = {
    "gallery": GalleryRow.slug,
    "checkpoint": CheckpointRow.slug,
    "scan": ScanRow.slug,
    "clustering": ClusteringRow.slug,
}


def get(session: Session, job_id: int) -> JobRecord | None:
    """The job of that id; None where there is none."""
    row = session.get(JobRow, job_id, populate_existing=True)
    return None if row is None else record(row)


def page(
    session: Session, *, states: Iterable[str] = (), kinds: Iterable[str] = (), before: int | None = None, limit: int
) -> list[JobRecord]:
    """At most `limit` jobs with an id below `before`, newest first; empty `states` and `kinds` mean all."""
    query = select(JobRow).order_by(JobRow.id.desc()).limit(limit)
    if states := tuple(states):
        query = query.where(JobRow.state.in_(states))
    if kinds := tuple(kinds):
        query = query.where(JobRow.kind.in_(kinds))
    if before is not None:
        query = query.where(JobRow.id < before)
    return [record(row) for row in session.scalars(query)]


def active(session: Session) -> list[JobRecord]:
    """Jobs that are queued, running or being cancelled, oldest first."""
    query = select(JobRow).where(JobRow.state.in_(("queued", *ACTIVE))).order_by(JobRow.id)
    return [record(row) for row in session.scalars(query)]


def count_by_state(session: Session) -> dict[str, int]:
    """The number of jobs by state; states without jobs are left out."""
    rows = session.execute(select(JobRow.state, func.count()).group_by(JobRow.state))
    return {str(state): int(number) for state, number in rows}


def identical(session: Session, identity: str) -> JobRecord | None:
    """The newest job of that identity, preferably one that is not failed or cancelled; None where there is none."""
    rows = list(session.scalars(select(JobRow).where(JobRow.identity == identity).order_by(JobRow.id.desc())))
    alive = [row for row in rows if row.state not in ("failed", "cancelled")]
    return record((alive or rows)[0]) if rows else None


def _slug_taken(session: Session, kind: str, slug: str) -> bool:
    by_job = select(JobRow.id).where(JobRow.output_kind == kind, JobRow.output_slug == slug)
    if session.scalar(by_job.limit(1)) is not None:
        return True
    column = SLUGS.get(kind)
    return column is not None and session.scalar(select(column).where(column == slug)) is not None


def free_output(session: Session, wanted: Output) -> Output:
    """The wanted slug and path; where an artefact or job has the slug, the first free one with "-2", "-3" ... added."""
    parent, _, last = wanted.path.rpartition("/")
    number = 1
    while True:
        suffix = "" if number == 1 else f"-{number}"
        slug = wanted.slug + suffix
        if not _slug_taken(session, wanted.kind, slug):
            return Output(wanted.kind, slug, f"{parent}/{last}{suffix}" if parent else last + suffix)
        number += 1


def enqueue(session: Session, new: NewJob) -> JobRecord:
    """Add a job; it is blocked from the start where a job that it needs has failed, or is cancelled or blocked."""
    row = JobRow(
        kind=new.kind,
        spec=dict(new.spec),
        inputs=dict(new.inputs),
        identity=new.identity,
        lane=new.lane,
        max_attempts=MAX_ATTEMPTS,
        output_kind=new.output.kind if new.output else None,
        output_slug=new.output.slug if new.output else None,
        output_path=new.output.path if new.output else None,
    )
    session.add(row)
    session.flush()
    session.add_all(JobNeed(job_id=row.id, needs_id=needed) for needed in dict.fromkeys(new.needs))
    session.flush()
    _wait(session, row)
    return record(row)


def _wait(session: Session, row: JobRow) -> None:
    """Set the job to queued, or to blocked where a needed job is failed, cancelled or itself blocked."""
    error = broken_need(session, row.id)
    row.state, row.error = ("queued", None) if error is None else ("blocked", error)
    session.flush()


def retry(session: Session, job_id: int) -> JobRecord | None:
    """Queue a failed or cancelled job again, with its saved state, and unblock the jobs that wait for it.

    None where there is no such job, or it is neither failed nor cancelled.
    """
    row = session.get(JobRow, job_id, populate_existing=True)
    if row is None or row.state not in ("failed", "cancelled"):
        return None
    row.max_attempts = row.attempt + MAX_ATTEMPTS
    row.cancel_requested = False
    row.finished_at = row.pid = None
    _wait(session, row)
    if row.state == "queued":
        unblock_dependents(session, row.id)
    return record(row)


def claim(session: Session, lane: str, device: str) -> JobRecord | None:
    """Set the oldest queued job of the lane whose needs are all done to running; None where there is none."""
    needed = aliased(JobRow)
    unmet = exists().where(JobNeed.job_id == JobRow.id, JobNeed.needs_id == needed.id, needed.state != "done")
    ready = (JobRow.state == "queued", JobRow.lane == lane, ~unmet)
    query = select(JobRow).where(*ready).order_by(JobRow.id).limit(1).with_for_update(skip_locked=True)
    row = session.scalar(query)
    if row is None:
        return None
    row.state, row.attempt, row.device = "running", row.attempt + 1, device
    row.started_at, row.finished_at, row.error, row.pid = now(), None, None, None
    session.flush()
    return record(row)


def _move(session: Session, job_id: int, from_states: Iterable[State], **values: Any) -> bool:
    """Set `values` if the job is still in one of the states; whether it was."""
    statement = update(JobRow).where(JobRow.id == job_id, JobRow.state.in_(tuple(from_states))).values(**values)
    return cast(CursorResult[Any], session.execute(statement)).rowcount == 1


def finish(session: Session, job_id: int, state: State, error: JobError | None = None) -> bool:
    """Give an active job its final state; unless that is done, block the jobs that wait for it. False if not active."""
    data = None if error is None else {"code": error.code, "message": error.message}
    if not _move(session, job_id, ACTIVE, state=state, error=data, finished_at=now(), pid=None):
        return False
    if state != "done":
        block_dependents(session, job_id)
    return True


def requeue(session: Session, job_id: int, *, counted: bool) -> bool:
    """Put a running job back into the queue; where its attempt is not `counted`, one more is allowed."""
    allowed = JobRow.max_attempts if counted else JobRow.max_attempts + 1
    return _move(session, job_id, ("running",), state="queued", pid=None, max_attempts=allowed)


def cancel(session: Session, job_id: int) -> bool:
    """Cancel a waiting job, or ask a running one to stop; False where the job has ended or does not exist."""
    if _move(session, job_id, WAITING, state="cancelled", finished_at=now(), cancel_requested=True, error=None):
        block_dependents(session, job_id)
        return True
    return _move(session, job_id, ACTIVE, state="cancelling", cancel_requested=True)


def save_progress(session: Session, job_id: int, progress: Mapping[str, Any], offset: int) -> None:
    """Save the latest progress, and how far the events were read."""
    _move(session, job_id, ACTIVE, progress=dict(progress), event_offset=offset)


def save_pid(session: Session, job_id: int, pid: int) -> None:
    """Save the id of the process that runs the job."""
    _move(session, job_id, ACTIVE, pid=pid)
