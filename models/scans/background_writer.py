"""One piece of work at a time in the background: a shard is written while the next one is computed."""

from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from models.workers import workers


class BackgroundWriter:
    """Does one thing at a time in a thread of its own; what that raises comes out of the next call, or of the end."""

    def __init__(self) -> None:
        self._pool = workers(1, "background")
        self._running: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()  # what was begun is finished, also where the caller was stopped
        if kind is None:
            self._wait()

    def run(self, work: Callable[[], None]) -> None:
        """Begin once the last has ended. Raises what the last raised."""
        self._wait()
        self._running = self._pool.submit(work)

    def _wait(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.result()
