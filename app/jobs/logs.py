"""A job's log is bounded: a library that warns at every step must not fill the disk."""

import contextlib
import os
from pathlib import Path

LIMIT = 1 << 20  # bytes
NOTE = b"... earlier lines were left out\n"


def trim(path: Path, limit: int = LIMIT) -> None:
    """Where the file is longer, keep its last lines, half of the limit. It stays the same file: its writers append."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size <= limit:
            return
        with path.open("r+b") as stream:
            stream.seek(-(limit // 2), os.SEEK_END)
            kept = stream.read(limit).partition(b"\n")[2]
            stream.seek(0)
            stream.write(NOTE + kept)
            stream.truncate()
