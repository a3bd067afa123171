"""A regular file, opened once: its size is known before anything is read, and every reader sees the same file."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.foreign.weights import UnreadableWeights

CHUNK: Final = 4 << 20


@dataclass(frozen=True)
class OpenFile:
    """An open regular file. `path` leads to the open file itself, whatever happens to its name meanwhile."""

    descriptor: int
    size: int
    name: str

    @property
    def path(self) -> str:
        # macOS opens the same open file there, not a new one: it would begin where the last reader stopped.
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        return f"/dev/fd/{self.descriptor}"

    def head(self, length: int, start: int = 0) -> bytes:
        """Bytes at a place, fewer at the end of the file."""
        return os.pread(self.descriptor, length, start)

    def tail(self, length: int) -> bytes:
        """The last bytes."""
        return self.head(length, max(0, self.size - length))

    def sha256(self) -> str:
        """Of the whole content, read in order."""
        digest = hashlib.sha256()
        place = 0
        while piece := self.head(CHUNK, place):
            digest.update(piece)
            place += len(piece)
        return digest.hexdigest()


@contextmanager
def opened(path: Path, *, limit: int | None = None) -> Iterator[OpenFile]:
    """The file, for as long as the block lasts. Raises UnreadableWeights: missing, no file, empty, above `limit`.

    Pipes and devices neither hang nor are read; a file that is written to while it is read is refused at the end.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise _unopened(error) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableWeights("not_a_file", "This is not a regular file.")
        if found.st_size == 0:
            raise UnreadableWeights("not_a_checkpoint", "The file is empty.")
        if limit is not None and found.st_size > limit:
            raise UnreadableWeights("file_too_large", f"The file has more than the {limit >> 20} MB that are taken.")
        yield OpenFile(descriptor, found.st_size, path.name)
        left = os.fstat(descriptor)
        if (left.st_size, left.st_mtime_ns) != (found.st_size, found.st_mtime_ns):
            raise UnreadableWeights("checkpoint_changed", "The file was written to while it was read; try again.")
    finally:
        os.close(descriptor)


def _unopened(error: OSError) -> UnreadableWeights:
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        return UnreadableWeights("input_missing", "There is no file at this path (any more).")
    if error.errno in (errno.EACCES, errno.EPERM):
        return UnreadableWeights("no_permission", "The server may not read this file.")
    if error.errno == errno.ENXIO:
        return UnreadableWeights("not_a_file", "This is not a regular file.")
    return UnreadableWeights(
        "unreadable", f"The file cannot be opened ({errno.errorcode.get(error.errno or 0, 'EIO')})."
    )
