"""The curves in a job's events: for each metric its last value at each step."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.jobs.events import EVENTS, iterate_events

Points = Sequence[tuple[int, float]]


class Curves:
    """The curves of one job; each reading continues where the last one ended.

    Where an attempt repeats steps, its values replace the earlier ones.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / EVENTS
        self._offset = 0
        self._series: dict[str, dict[int, float]] = {}
        self._lock = threading.Lock()

    def read(self) -> Mapping[str, Points]:
        """All points so far, by name, in the order of their steps."""
        with self._lock:
            for event in iterate_events(self._path, self._offset):
                self._offset = event.after
                for name, step, value in event.points():
                    self._series.setdefault(name, {})[step] = value
            return {name: sorted(points.items()) for name, points in self._series.items()}
