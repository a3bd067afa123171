"""The context that a job's code is given: its spec, its folders, and methods to report progress and results."""

import sys
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from app.jobs.events import EVENTS, EventWriter
from app.jobs.spec import JobSpec

MIN_INTERVAL = 0.5  # seconds between two progress events
RATE_WINDOW = 30.0  # seconds over which speed is measured
MAX_MESSAGE = 2000  # characters


class Stopped(BaseException):
    """The job was asked to stop; its code may save its state, and must let this pass on."""


class JobFailed(Exception):
    """The job cannot continue; `message` tells the user what to do about it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class _Pace:
    """Measures the steps per second of this attempt, over the last half minute."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, float]] = deque()
        self._unit = ""

    def at(self, step: float, unit: str) -> float | None:
        now = self._clock()
        if unit != self._unit or (self._seen and step < self._seen[-1][1]):
            self._seen.clear()  # a new phase of the job has begun
        self._unit = unit
        self._seen.append((now, step))
        while len(self._seen) > 2 and now - self._seen[0][0] > RATE_WINDOW:
            self._seen.popleft()
        seconds, steps = now - self._seen[0][0], step - self._seen[0][1]
        return steps / seconds if seconds > 0 and steps > 0 else None


class JobContext:
    """One attempt of one job, as its code sees it.

    `state` is a folder that all attempts share, in which a job saves what it resumes from. `output` is the path of the
    artefact, a folder or a file.
    """

    def __init__(self, folder: Path, spec: JobSpec, events: EventWriter, *, clock: Callable[[], float] = monotonic):
        self.folder = folder
        self.id = spec.id
        self.kind = spec.kind
        self.workspace = Path(spec.workspace)
        self.spec: Mapping[str, Any] = spec.spec
        self.inputs: Mapping[str, Path] = {name: self.workspace / path for name, path in spec.inputs.items()}
        self.device = spec.device
        self.attempt = spec.attempt
        self.state = folder / "state"
        self.state.mkdir(parents=True, exist_ok=True)
        self._output = spec.output
        self._events = events
        self._clock = clock
        self._pace = _Pace(clock)
        self._stop = False  # a plain flag, because a signal handler must not take a lock
        self._last = float("-inf")
        self._waiting: dict[str, tuple[int, float]] = {}

    @classmethod
    def open(cls, folder: Path) -> "JobContext":
        """The context of a job, from the `spec.json` in its folder."""
        return cls(folder, JobSpec.read(folder), EventWriter(folder / EVENTS))

    @property
    def output(self) -> Path:
        """The path that the artefact is written to."""
        if self._output is None:
            raise JobFailed("no_output", f"A job of kind {self.kind} was given no place for its result.")
        return self.workspace / self._output.path

    @property
    def slug(self) -> str:
        """The slug of the artefact."""
        if self._output is None:
            raise JobFailed("no_output", f"A job of kind {self.kind} was given no name for its result.")
        return self._output.slug

    def stop(self) -> None:
        """Ask the job to stop; safe in a signal handler."""
        self._stop = True

    @property
    def stopping(self) -> bool:
        """Whether the job was asked to stop."""
        return self._stop

    def check(self) -> None:
        """Raise `Stopped` if the job was asked to stop; call this at least once a second."""
        if self._stop:
            raise Stopped

    def progress(
        self,
        step: int,
        total: int | None,
        unit: str,
        metrics: Mapping[str, float] | None = None,
        rate: float | None = None,
    ) -> None:
        """Report how far the job is; it may be called as often as you like. Raises `Stopped`.

        At most two events a second are written, and always one for the last step. Metrics of calls between two events
        go into the next event, with their own step. `rate` is the speed, where it is not in steps a second but for
        example in images a second.
        """
        self._waiting.update({name: (step, value) for name, value in (metrics or {}).items()})
        now = self._clock()
        if now - self._last >= MIN_INTERVAL or step == total:
            self._last = now
            self._write_progress(step, total, unit, rate)
        self.check()

    def _write_progress(self, step: int, total: int | None, unit: str, rate: float | None) -> None:
        pace = self._pace.at(step, unit)
        fields: dict[str, Any] = {
            "step": step,
            "total": total,
            "unit": unit,
            "rate": rate if rate is not None else pace,
        }
        fields["eta_seconds"] = (total - step) / pace if total is not None and pace else None
        fields["metrics"] = {name: value for name, (_, value) in self._waiting.items()}
        earlier = {name: at for name, (at, _) in self._waiting.items() if at != step}
        if earlier:
            fields["at"] = earlier
        self._waiting.clear()
        self._events.write("progress", fields)

    def log(self, message: str) -> None:
        """Write a message for the person who watches the job."""
        self._events.write("log", {"message": message[:MAX_MESSAGE]})
        self._say(message)

    def _say(self, message: str) -> None:
        """Write a line to standard error, which is the job's log.txt."""
        sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {message[:MAX_MESSAGE]}\n")

    def artefact(self, kind: str, slug: str, path: Path, **detail: Any) -> None:
        """Name a finished result, which must be on the disk already; it is registered when the job ends well."""
        place = path.relative_to(self.workspace) if path.is_absolute() else path
        self._events.write(
            "artefact", {"kind": kind, "slug": slug, "path": place.as_posix(), "detail": detail}, durable=True
        )

    def grown(self) -> None:
        """Say that the output is complete in itself as it is now and may be read, although the job continues."""
        self._events.write("grown", {}, durable=True)

    def started(self) -> None:
        """Write the event that this attempt has begun."""
        self._events.write("started", {"attempt": self.attempt, "device": self.device})
        self._say(f"attempt {self.attempt} on {self.device}")

    def failed(self, code: str, message: str) -> None:
        """Record why this attempt failed."""
        self._events.write("error", {"code": code, "message": message[:MAX_MESSAGE]}, durable=True)
        self._say(f"failed ({code}): {message}")

    def close(self) -> None:
        """Close the event file."""
        self._events.close()
