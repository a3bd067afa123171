"""Information about processes: from /proc on Linux, and from `ps` on other systems."""

import os
import subprocess
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
PS_WITHIN: Final = 5.0  # seconds that `ps` may take


def has_word(pid: int, word: str) -> bool:
    """Whether the process has this word in its command line; False where there is no such process."""
    if not _has_proc():
        return f" {word} " in f" {_ps(pid, 'args')} "  # `ps` joins the words by spaces
    try:
        return os.fsencode(word) in (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def resident_bytes() -> int:
    """The bytes of memory that this process holds; 0 where the system does not say."""
    if not _has_proc():
        kilobytes = _ps(os.getpid(), "rss")
        return int(kilobytes) * 1024 if kilobytes.isdecimal() else 0
    return _pages(1)


def address_space() -> int:
    """The bytes of address space that this process has; 0 where the system does not say."""
    return _pages(0)


def _has_proc() -> bool:
    return (PROC / "self").exists()


def _pages(place: int) -> int:
    """The number at this place of /proc/self/statm, in bytes; 0 where there is none."""
    try:
        return int((PROC / "self" / "statm").read_text().split()[place]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _ps(pid: int, column: str) -> str:
    """What `ps` shows of the process in that column, in full; empty where there is no such process."""
    command = ("ps", "-ww", "-o", f"{column}=", "-p", str(pid))
    try:
        ran = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PS_WITHIN)
    except (OSError, subprocess.SubprocessError):
        return ""
    return ran.stdout.strip()
