"""Limits for a child that reads a foreign file: its memory and time depend on the size of the file."""

import ctypes
import resource
import signal
import sys
from typing import Final

from app.processes import address_space

GIGABYTE: Final = 1 << 30
PR_SET_PDEATHSIG: Final = 1
SECONDS, SECONDS_A_GIGABYTE = 30, 45  # of CPU time
WALL: Final = 4  # so many times the CPU time may pass on the clock, because machines are shared
GRACE: Final = 5  # seconds of CPU time between SIGXCPU, by which the cause is known, and SIGKILL
RESULT: Final = 64 << 20  # bytes that an answer may have


def seconds_for(size: int) -> int:
    """The seconds of CPU time that a file of `size` bytes may take."""
    return SECONDS + SECONDS_A_GIGABYTE * size // GIGABYTE


def wall_for(size: int) -> float:
    """The seconds on the clock that a file of `size` bytes may take."""
    return float(WALL * seconds_for(size))


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends; only on Linux, elsewhere its limits end it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def confine(size: int, *, times: int) -> None:
    """Limit the CPU time of this process for a file of `size` bytes, and on Linux its memory; forbid core files.

    The memory is its present size, plus `times` times the file, plus 1 GB.
    """
    seconds = seconds_for(size)
    _lower(resource.RLIMIT_CPU, seconds, seconds + GRACE)
    if sys.platform == "linux":  # refused on macOS, where processes have hundreds of gigabytes of addresses
        _lower(resource.RLIMIT_AS, own_size() + times * size + GIGABYTE)
    _lower(resource.RLIMIT_CORE, 0)


def own_size() -> int:
    """The bytes of address space of this process; 64 GB where the system does not say."""
    return address_space() or 64 * GIGABYTE


def _lower(kind: int, soft: int, hard: int | None = None) -> None:
    """Set the soft and the hard limit, at most to the present hard limit; `hard` None is the same as `soft`."""
    _, present = resource.getrlimit(kind)
    highest = soft if hard is None else hard
    if present != resource.RLIM_INFINITY:
        highest = min(highest, present)
    resource.setrlimit(kind, (min(soft, highest), highest))
