"""A bound on the memory that pictures take while they are decoded, for all threads of a process together.

A file of a few kilobytes may hold forty million pixels. Limits for each picture do not bound what many at once take.
"""

import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

PATIENCE: Final = 10.0  # seconds to wait for one's turn
LARGE: Final = 64 << 20  # bytes after whose use memory is given back to the system at once


class NoTurn(TimeoutError):
    """Other pictures took all the memory for longer than one may wait."""


class DecodeBudget:
    """Lends at most `limit` bytes at a time; a picture that needs more than that is decoded alone."""

    def __init__(self, limit: int, *, patience: float = PATIENCE) -> None:
        self.limit = limit
        self._patience = patience
        self._lent = 0
        self._changed = threading.Condition()

    @contextmanager
    def lend(self, size: int) -> Iterator[None]:
        """Hold `size` bytes inside the block. Raises NoTurn where they are not free in time."""
        size = min(size, self.limit)
        deadline = time.monotonic() + self._patience
        with self._changed:
            while self._lent + size > self.limit:
                if not self._changed.wait(deadline - time.monotonic()) and time.monotonic() >= deadline:
                    raise NoTurn
            self._lent += size
        try:
            yield
        finally:
            with self._changed:
                self._lent -= size
                self._changed.notify_all()
            if size >= LARGE:
                give_back()


def give_back() -> None:
    """Give free memory back to the system, which the C library otherwise keeps for later; it may have no such call."""
    if _TRIM is not None:
        _TRIM(0)


def _trim() -> Callable[[int], int] | None:
    with suppress(OSError, AttributeError, TypeError):
        return ctypes.CDLL(None).malloc_trim
    return None


_TRIM: Final = _trim()
