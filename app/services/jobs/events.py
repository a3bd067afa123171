"""A job's events as server-sent events.

The id of an event is the byte offset after its line, so that a browser that reconnects continues where it stopped.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from app.jobs.events import EVENTS, Event, read_events
from app.jobs.records import JobRecord
from app.services.jobs.service import JobsService, has_ended

POLL = 0.25  # seconds between two looks at the event file
LOOK_EVERY = 1.0  # seconds between two looks at the job's row
HEARTBEAT = 10.0
LAST_WORDS = 1.5  # seconds by which the event of the final state may come later than the job's row
BLOCK = 256 * 1024
NAMES = {"error": "failure"}  # a browser's EventSource has an `error` of its own


def _line(event: Event) -> str:
    data = json.dumps(event.data, ensure_ascii=False, separators=(",", ":"))
    return f"id: {event.after}\nevent: {NAMES.get(event.type, event.type)}\ndata: {data}\n\n"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


async def stream(jobs: JobsService, job: JobRecord, offset: int, stopping: Callable[[], bool]) -> AsyncIterator[str]:
    """Every event after `offset`, as it is written, until the job has ended or the server is stopping."""
    path = jobs.folder(job) / EVENTS
    told = None  # the state that the client was told last
    looked = spoke = monotonic()
    yield "retry: 2000\n\n"
    while not stopping():
        while _size(path) > offset:
            part = await asyncio.to_thread(read_events, path, offset, BLOCK)
            if part.next == offset:
                break  # the last line is still being written
            for event in part.events:
                told = event.text("state") if event.type == "state" else told
                yield _line(event)
            offset, spoke = part.next, monotonic()
        now = monotonic()
        if has_ended(job) and (told == job.state or _long_ago(job)):
            yield f"event: end\ndata: {_state(job)}\n\n"
            return
        if not has_ended(job) and now - looked >= LOOK_EVERY:
            job, looked = await asyncio.to_thread(jobs.get, job.id), now
            if job.state == "blocked" and told != "blocked":  # the end of another job did it: no event here
                yield f"event: state\ndata: {_state(job)}\n\n"
                told = job.state
        if now - spoke > HEARTBEAT:
            yield ": still here\n\n"
            spoke = now
        await asyncio.sleep(POLL)


def _long_ago(job: JobRecord) -> bool:
    """Whether the event of the final state, which is written after the row, should be there by now."""
    return job.finished_at is None or (datetime.now(UTC) - job.finished_at).total_seconds() > LAST_WORDS


def _state(job: JobRecord) -> str:
    return json.dumps({"type": "state", "state": job.state})
