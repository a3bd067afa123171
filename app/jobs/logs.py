"""Limits the size of a job's log, so that a library that warns at every step cannot fill the disk."""

import contextlib
import os
from pathlib import Path

LIMIT = 1 << 20  # bytes
NOTE = b"... earlier lines were left out\n"


def trim(path: Path, limit: int = LIMIT) -> None:
    """Cut a file that is longer than `limit` bytes to its last lines, of half the limit.

    It is changed in place, because processes have it open for appending.
    """
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size <= limit:
            return
        with path.open("r+b") as stream:
            stream.seek(-(limit // 2), os.SEEK_END)
            kept = stream.read(limit).partition(b"\n")[2]
            stream.seek(0)
            stream.write(NOTE + kept)
            stream.truncate()
