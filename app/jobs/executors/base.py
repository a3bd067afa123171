"""What the supervisor asks of the thing that runs attempts: processes here now, a cluster's later."""

from pathlib import Path
from typing import Protocol

from app.jobs.devices import Device


class Attempt(Protocol):
    """One running attempt."""

    @property
    def pid(self) -> int: ...

    def status(self) -> int | None:
        """None while it runs; then its exit status, negative for the signal that killed it."""

    def terminate(self) -> None:
        """Ask it to save its state and leave."""

    def kill(self) -> None:
        """End it and all it started."""


class Executor(Protocol):
    """Starts attempts, and makes sure that those of an earlier supervisor are gone."""

    def start(self, folder: Path, device: Device) -> Attempt:
        """Run `python -m app.jobs.run folder`. Raises OSError."""

    def clear(self, folder: Path, pid: int | None) -> None:
        """Return when no process of that job is left."""
