"""Jobs that wait for other jobs: one that failed or was cancelled blocks all that depend on it, also indirectly."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.tables import JobNeed, JobRow

BROKEN = ("failed", "cancelled", "blocked")


def needs_of(session: Session, job_id: int) -> list[int]:
    """The jobs that this one waits for."""
    query = select(JobNeed.needs_id).where(JobNeed.job_id == job_id).order_by(JobNeed.needs_id)
    return list(session.scalars(query))


def needed_by(session: Session, job_id: int) -> list[int]:
    """The jobs that wait for this one, or waited until it was done."""
    query = select(JobNeed.job_id).where(JobNeed.needs_id == job_id).order_by(JobNeed.job_id)
    return list(session.scalars(query))


def broken_need(session: Session, job_id: int) -> dict[str, str] | None:
    """The error of a job that waits for a failed, cancelled or blocked one; None where it waits for no such job."""
    query = (
        select(JobRow.id, JobRow.kind, JobRow.state)
        .join(JobNeed, JobNeed.needs_id == JobRow.id)
        .where(JobNeed.job_id == job_id, JobRow.state.in_(BROKEN))
        .order_by(JobRow.id)
    )
    first = session.execute(query).first()
    if first is None:
        return None
    needed, kind, state = first
    what = {"failed": "which failed", "cancelled": "which was cancelled", "blocked": "which is blocked itself"}[state]
    return {"code": "blocked", "message": f"It waits for job {needed} ({kind}), {what}; resume that one first."}


def _dependents(session: Session, job_id: int, state: str) -> list[JobRow]:
    query = select(JobRow).join(JobNeed, JobNeed.job_id == JobRow.id).where(JobNeed.needs_id == job_id)
    return list(session.scalars(query.where(JobRow.state == state).execution_options(populate_existing=True)))


def block_dependents(session: Session, job_id: int) -> None:
    """Block the queued jobs that wait for this one, and those that wait for them."""
    for row in _dependents(session, job_id, "queued"):
        row.state, row.error = "blocked", broken_need(session, row.id)
        session.flush()
        block_dependents(session, row.id)


def unblock_dependents(session: Session, job_id: int) -> None:
    """Queue the blocked jobs again that only this job had blocked, and those that wait for them."""
    for row in _dependents(session, job_id, "blocked"):
        row.error = broken_need(session, row.id)
        if row.error is None:
            row.state = "queued"
            session.flush()
            unblock_dependents(session, row.id)
