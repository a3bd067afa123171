"""The events of a job: one JSON object a line in `events.jsonl`, addressed by byte offset."""

import json
import math
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from time import time
from types import TracebackType
from typing import Any, Literal, Self, cast

EVENTS = "events.jsonl"
MAX_READ = 4 << 20  # bytes that are read at once, so that a huge file cannot fill the memory

EventType = Literal["started", "progress", "log", "artefact", "grown", "error", "state"]


def _finite(value: Any) -> Any:
    """The value in JSON's types: numpy's numbers as Python's, NaN and infinities, which JSON does not have, as None."""
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


@dataclass(frozen=True)
class Event:
    """One event; `after` is the offset of the byte after its line, the event's id; `time` is in Unix seconds."""

    after: int
    type: str
    time: float
    data: Mapping[str, Any]

    def number(self, name: str) -> float | None:
        """A field that is a number; None where it is missing or something else."""
        value = self.data.get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def text(self, name: str) -> str | None:
        """A field that is text; None where it is missing or something else."""
        value = self.data.get(name)
        return value if isinstance(value, str) else None

    def points(self) -> Iterator[tuple[str, int, float]]:
        """The metrics of a progress event as (name, step, value); none for other events."""
        step, metrics, at = self.number("step"), self.data.get("metrics"), self.data.get("at")
        if self.type != "progress" or step is None or not isinstance(metrics, Mapping):
            return
        own = at if isinstance(at, Mapping) else {}
        for name, value in metrics.items():
            if isinstance(value, int | float):
                yield str(name), int(own.get(name, step)), float(value)


def _parse(line: bytes, after: int) -> Event | None:
    """The event of a line; None for a line that is incomplete because its writer was killed."""
    try:
        data = json.loads(line)
    except ValueError:
        return None
    if not isinstance(data, dict) or not isinstance(data.get("type"), str):
        return None
    when = data.get("time")
    return Event(after, data["type"], float(when) if isinstance(when, int | float) else 0.0, cast(dict[str, Any], data))


@dataclass(frozen=True)
class Slice:
    """Events read from an offset on, and the offset at which to continue."""

    events: tuple[Event, ...]
    next: int


def read_events(path: Path, offset: int = 0, limit: int = MAX_READ) -> Slice:
    """The events of the complete lines after `offset`, which should be the end of a line, within `limit` bytes.

    A line that is still being written is left for later. Where a client sends an offset inside a line, reading starts
    at the next line; after the end of the file there are no events.
    """
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return Slice((), offset)
    with stream:
        start = max(0, offset - 1)
        stream.seek(start)
        block = stream.read(limit + 1)
    if offset > 0:
        head = block.find(b"\n")
        if head < 0:
            return Slice((), offset)
        block, start = block[head + 1 :], start + head + 1
    end = block.rfind(b"\n") + 1
    events: list[Event] = []
    after = start
    for line in block[:end].splitlines(keepends=True):
        after += len(line)
        event = _parse(line, after)
        if event is not None:
            events.append(event)
    return Slice(tuple(events), start + end)


def iterate_events(path: Path, offset: int = 0) -> Iterator[Event]:
    """All events of complete lines after `offset`; the file is read in blocks."""
    while True:
        part = read_events(path, offset)
        yield from part.events
        if part.next == offset:
            return
        offset = part.next


class EventWriter:
    """Appends events to a job's file; an incomplete last line of an earlier attempt is ended first."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._lock = threading.Lock()
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            os.write(self._descriptor, b"\n")

    def write(self, type: EventType, fields: Mapping[str, Any], *, durable: bool = False) -> None:
        """Append one event; with `durable` it is on the disk when this returns."""
        event = {"type": type, "time": round(time(), 3), **cast(dict[str, Any], _finite(fields))}
        line = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            while line:  # one call writes all, unless the disk is nearly full
                line = line[os.write(self._descriptor, line) :]
            if durable:
                os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
