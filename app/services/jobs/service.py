"""The service for jobs: submit, list and read them, cancel and resume them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.failures import BadQuery, Busy, Conflict, NotFound
from app.jobs import table
from app.jobs.catalogue import KINDS, Kind
from app.jobs.curves import Curves, Points
from app.jobs.events import EVENTS
from app.jobs.folders import announce, job_folder
from app.jobs.hidden_paths import without_places
from app.jobs.identity import identity
from app.jobs.needs import needed_by, needs_of
from app.jobs.records import JobRecord, NewJob
from app.jobs.run import LOG
from app.jobs.spec import Output
from app.jobs.states import ENDED, RESUMABLE, STATES
from app.jobs.supervisor import is_supervised
from app.recent import Recent
from app.services.cursors import position
from app.services.jobs.submissions.inputs import checkpoint_input
from app.services.jobs.submissions.prepared import Prepare, PreparedJob
from app.settings import Settings
from app.store.engine import Store
from models.descriptors import DESCRIPTORS
from models.training.curves import thin

MAX_QUEUED = 100
MAX_ID = 2**63 - 1
LOG_BYTES = 64 * 1024
KEPT_CURVES = 16  # jobs whose curves stay in memory


@dataclass(frozen=True)
class JobPage:
    """Some jobs, newest first, and the cursor of the page after them; None on the last page."""

    jobs: tuple[JobRecord, ...]
    next: str | None


class JobsService:
    """Submits, reads, cancels and resumes jobs; the supervisor is what runs them."""

    def __init__(self, store: Store, settings: Settings, kinds: Mapping[str, Kind] = KINDS) -> None:
        self._store = store
        self._settings = settings
        self._kinds = kinds
        self._prepare = {name: submission(kind) for name, kind in kinds.items()}
        self._curves = Recent[Path, Curves](KEPT_CURVES)

    def submit(self, kind: str, spec: Mapping[str, Any], again: bool = False) -> tuple[JobRecord, bool]:
        """The job for a spec, and whether this call queued it.

        An identical job that is queued, running or done is returned as it is; one that failed or was cancelled is
        queued again; `again` makes a new job in any case. Raises BadQuery, NotFound, Conflict, Busy.
        """
        if kind not in self._kinds:
            raise BadQuery("unknown_kind", f"There is no kind of job {kind[:40]!r}; there are {_words(self._kinds)}.")
        prepared = self._prepare[kind](self._store, self._settings, dict(spec))
        try:
            name = identity(kind, prepared.spec, prepared.fingerprints)
        except ValueError:
            raise BadQuery("not_finite", "The spec holds a number that is not finite.") from None
        with self._store.write() as session:
            job, new = self._enter(session, self._kinds[kind], prepared, name, again)
        if new:
            announce(self._store.workspace, job.id, job.state)
        return job, new

    def _enter(
        self, session: Session, kind: Kind, prepared: PreparedJob, name: str, again: bool
    ) -> tuple[JobRecord, bool]:
        existing = None if again else table.identical(session, name)
        if existing is not None and existing.state not in RESUMABLE:
            return existing, False
        _check_room(session)
        if existing is not None and (retried := table.retry(session, existing.id)) is not None:
            return retried, True
        wanted = Output(kind.makes.name, prepared.slug, prepared.path)
        output = wanted if prepared.keep_slug else table.free_output(session, wanted)
        new = NewJob(
            kind=kind.name,
            spec=prepared.spec,
            inputs=prepared.inputs,
            identity=name,
            lane=kind.lane,
            output=output,
            needs=prepared.needs,
        )
        job = table.enqueue(session, new)
        if prepared.on_submit is not None:
            prepared.on_submit(session, job.id, output)
        return job, True

    def knows(self, kind: str) -> bool:
        """Whether there is such a kind of job."""
        return kind in self._kinds

    def expect_checkpoint(self, slug: str) -> None:
        """Check that the slug is a checkpoint, a descriptor, or what an unfinished job will make. Raises NotFound."""
        if slug not in DESCRIPTORS:
            with self._store.read() as session:
                checkpoint_input(session, slug)

    def get(self, job_id: int | str) -> JobRecord:
        """The job of that id. Raises NotFound."""
        number = _number(job_id)
        with self._store.read() as session:
            job = None if number is None else table.get(session, number)
        if job is None:
            raise NotFound("unknown_job", "There is no job of this id.")
        return job

    def list(
        self, *, states: Iterable[str] = (), kinds: Iterable[str] = (), limit: int = 50, cursor: str | None = None
    ) -> JobPage:
        """Jobs, newest first. Raises BadQuery for an unknown state, or a cursor that no page gave."""
        wanted = tuple(states)
        if unknown := [state for state in wanted if state not in STATES]:
            raise BadQuery("unknown_state", f"There is no state {unknown[0][:40]!r}; there are {_words(STATES)}.")
        before = None if cursor is None else position(cursor)
        with self._store.read() as session:
            found = table.page(session, states=wanted, kinds=tuple(kinds), before=before, limit=limit + 1)
        more = str(found[limit - 1].id) if len(found) > limit else None
        return JobPage(tuple(found[:limit]), more)

    def counts(self) -> dict[str, int]:
        """The number of jobs by state; states without jobs are left out."""
        with self._store.read() as session:
            return table.count_by_state(session)

    def needs(self, job_id: int) -> Sequence[int]:
        """The jobs that this one waits for."""
        with self._store.read() as session:
            return needs_of(session, job_id)

    def needed_by(self, job_id: int) -> Sequence[int]:
        """The jobs that wait, or waited, for this one."""
        with self._store.read() as session:
            return needed_by(session, job_id)

    def cancel(self, job_id: int | str) -> JobRecord:
        """Cancel a waiting job, or ask a running one to stop. Raises NotFound, and Conflict where it has ended."""
        before = self.get(job_id)
        with self._store.write() as session:
            changed = table.cancel(session, before.id)
        job = self.get(before.id)
        if not changed:
            raise Conflict("job_ended", f"This job has ended already: it is {job.state}.", {"state": job.state})
        if job.state != before.state:
            announce(self._store.workspace, job.id, job.state)
        return job

    def resume(self, job_id: int | str) -> JobRecord:
        """Queue a failed or cancelled job again, from its saved state. Raises NotFound, Conflict, Busy."""
        before = self.get(job_id)
        with self._store.write() as session:
            _check_room(session)
            job = table.retry(session, before.id)
        if job is None:
            now = self.get(before.id).state
            message = f"Only a failed or cancelled job can be resumed; this one is {now}."
            raise Conflict("job_not_resumable", message, {"state": now})
        announce(self._store.workspace, job.id, job.state)
        return job

    def series(self, job_id: int | str, names: Iterable[str] = (), points: int = 500) -> Mapping[str, Points]:
        """The job's curves by name, each thinned to about `points` points; all curves where no name is given."""
        wanted = set(names)
        folder = self.folder(self.get(job_id))
        curves = self._curves.get(folder, lambda: Curves(folder)).read()
        chosen = {name: line for name, line in curves.items() if not wanted or name in wanted}
        return {name: [(int(step), value) for step, value in thin(line, points)] for name, line in chosen.items()}

    def log_tail(self, job_id: int | str, size: int = LOG_BYTES) -> str:
        """The last lines of what the job printed, without paths of this machine."""
        path = self.folder(self.get(job_id)) / LOG
        try:
            with path.open("rb") as stream:
                end = stream.seek(0, 2)
                stream.seek(max(0, end - size))
                block = stream.read(size)
        except FileNotFoundError:
            return ""
        if end > size:
            block = block.partition(b"\n")[2]
        return without_places(block.decode("utf-8", "replace"), self._store.workspace)

    def folder(self, job: JobRecord) -> Path:
        """The folder with the job's events, log and state."""
        return job_folder(self._store.workspace, job.id)

    def end_of_events(self, job: JobRecord) -> int:
        """The size of the job's event file in bytes: a reader that starts there gets only later events."""
        try:
            return (self.folder(job) / EVENTS).stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def supervised(self) -> bool:
        """Whether a supervisor is running for this workspace."""
        return is_supervised(self._store.workspace)


def submission(kind: Kind) -> Prepare:
    """The function that checks a submission of this kind and fills in its defaults."""
    prepare: Prepare = import_module(kind.submission).prepare
    return prepare


def _check_room(session: Session) -> None:
    if table.count_by_state(session).get("queued", 0) >= MAX_QUEUED:
        message = f"{MAX_QUEUED} jobs are queued already; wait for some to end, or cancel some."
        raise Busy("queue_full", message, retry_after=30)


def _number(text: int | str) -> int | None:
    """The job id in an address; None where the text cannot be one."""
    if isinstance(text, str) and not (text.isascii() and text.isdecimal() and len(text) < 20):
        return None
    return number if 0 < (number := int(text)) <= MAX_ID else None


def _words(names: Iterable[str]) -> str:
    return ", ".join(names)


def has_ended(job: JobRecord) -> bool:
    """Whether the job is done, failed or cancelled."""
    return job.state in ENDED
