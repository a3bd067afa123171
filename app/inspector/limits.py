"""What a child may use that reads a foreign file: memory and time by the file's size."""

import ctypes
import resource
import signal
import sys
from typing import Final

from app.processes import address_space

GIGABYTE: Final = 1 << 30
PR_SET_PDEATHSIG: Final = 1
SECONDS, SECONDS_A_GIGABYTE = 30, 45  # of computing
WALL: Final = 4  # times as long on the clock: machines are shared
GRACE: Final = 5  # seconds between the signal that says why and the one that cannot be caught
RESULT: Final = 64 << 20  # bytes of an answer


def seconds_for(size: int) -> int:
    """Seconds of computing that a file of so many bytes may take."""
    return SECONDS + SECONDS_A_GIGABYTE * size // GIGABYTE


def wall_for(size: int) -> float:
    """Seconds on the clock that a file of so many bytes may take."""
    return float(WALL * seconds_for(size))


def die_with_parent() -> None:
    """The kernel ends this process when its parent ends (Linux; elsewhere its limits end it)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def confine(size: int, *, times: int) -> None:
    """Bound this process for a file of `size` bytes: its time, and on Linux its memory; no core files.

    The memory is its own size + so many times the file + 1 GB.
    """
    seconds = seconds_for(size)
    _lower(resource.RLIMIT_CPU, seconds, seconds + GRACE)
    if sys.platform == "linux":  # macOS refuses this limit: a process has hundreds of gigabytes of addresses there
        _lower(resource.RLIMIT_AS, own_size() + times * size + GIGABYTE)
    _lower(resource.RLIMIT_CORE, 0)


def own_size() -> int:
    """Bytes of address space this process has; more than any has where the system does not tell."""
    return address_space() or 64 * GIGABYTE


def _lower(kind: int, soft: int, hard: int | None = None) -> None:
    """Set a limit, below what there already is; the hard one is the soft one where it is not named."""
    _, present = resource.getrlimit(kind)
    highest = soft if hard is None else hard
    if present != resource.RLIM_INFINITY:
        highest = min(highest, present)
    resource.setrlimit(kind, (min(soft, highest), highest))
