"""Follows a job's events: its latest progress, its error, its artefacts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.jobs.events import EVENTS, Event, iterate_events
from app.jobs.records import JobError

PROGRESS_FIELDS = ("step", "total", "rate", "eta_seconds")


class Tail:
    """Follows one job's events from an offset on; each event is read exactly once."""

    def __init__(self, folder: Path, offset: int = 0, progress: Mapping[str, Any] | None = None) -> None:
        self._path = folder / EVENTS
        self.offset = offset
        self.progress: dict[str, Any] = dict(progress or {})
        self.error: JobError | None = None
        self.artefacts: list[tuple[str, str]] = []  # (kind, slug)
        self.grown = False  # whether an unfinished result has grown

    def read(self) -> bool:
        """Read the new events; whether there were any."""
        before = self.offset
        for event in iterate_events(self._path, self.offset):
            self.offset = event.after
            self._fold(event)
        return self.offset != before

    def _fold(self, event: Event) -> None:
        match event.type:
            case "started":  # forget the error and artefacts of an earlier attempt
                self.error = None
                self.artefacts.clear()
            case "progress":
                metrics = {**self.progress.get("metrics", {}), **{name: value for name, _, value in event.points()}}
                self.progress = {name: event.number(name) for name in PROGRESS_FIELDS}
                self.progress |= {"unit": event.text("unit"), "metrics": metrics, "time": event.time}
            case "error":
                self.error = JobError(event.text("code") or "error", event.text("message") or "The job failed.")
            case "artefact":
                self.artefacts.append((event.text("kind") or "", event.text("slug") or ""))
            case "grown":
                self.grown = True
            case _:
                pass
