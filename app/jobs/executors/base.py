"""What the supervisor needs of an executor, the object that runs attempts of jobs."""

from pathlib import Path
from typing import Protocol

from app.jobs.devices import Device


class Attempt(Protocol):
    """One running attempt."""

    @property
    def pid(self) -> int: ...

    def status(self) -> int | None:
        """Its exit status, or minus the number of the signal that killed it; None while it runs."""

    def terminate(self) -> None:
        """Ask it to save its state and end."""

    def kill(self) -> None:
        """Kill it and all processes that it started."""


class Executor(Protocol):
    """Starts attempts, and ends those that an earlier supervisor left behind."""

    def start(self, folder: Path, device: Device) -> Attempt:
        """Start `python -m app.jobs.run folder` on the device. Raises OSError."""

    def clear(self, folder: Path, pid: int | None) -> None:
        """Return when no process of the job in `folder` is left; `pid` is the last one known."""
