"""Jobs as plain values, which can be used after the database session is closed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from app.jobs.spec import Output
from app.jobs.states import State
from app.store.tables import JobRow


@dataclass(frozen=True)
class JobError:
    """Why a job failed or is blocked."""

    code: str
    message: str


@dataclass(frozen=True)
class JobRecord:
    """One job as it was when it was read.

    `inputs` are folders by name. `progress` is the latest progress event; `event_offset` says how many bytes of the
    event file are taken into it. `device` is None before the first attempt, `pid` unless an attempt runs.
    """

    id: int
    kind: str
    spec: Mapping[str, Any]
    inputs: Mapping[str, str]
    state: State
    lane: str
    attempt: int
    max_attempts: int
    device: str | None
    progress: Mapping[str, Any]
    error: JobError | None
    output: Output | None
    cancel_requested: bool
    pid: int | None
    event_offset: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A job that is to be put into the queue; `needs` are the ids of the jobs that it waits for."""

    kind: str
    spec: Mapping[str, Any]
    inputs: Mapping[str, str]
    identity: str
    lane: str
    output: Output | None = None
    needs: tuple[int, ...] = ()


def record(row: JobRow) -> JobRecord:
    """The row as a value."""
    output = None
    if row.output_kind is not None and row.output_slug is not None and row.output_path is not None:
        output = Output(row.output_kind, row.output_slug, row.output_path)
    return JobRecord(
        id=row.id,
        kind=row.kind,
        spec=row.spec,
        inputs=row.inputs,
        state=cast(State, row.state),
        lane=row.lane,
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        device=row.device,
        progress=row.progress,
        error=None if row.error is None else JobError(**row.error),
        output=output,
        cancel_requested=row.cancel_requested,
        pid=row.pid,
        event_offset=row.event_offset,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
