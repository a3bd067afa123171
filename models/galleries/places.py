"""Which files of this machine may be read: those below the configured roots, reached without hidden folders."""

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

MAX_FILE_BYTES: Final = 256 * 1024 * 1024


class Unreadable(Exception):
    """A file that is left out; `reason` is a short code, the message says it in words."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def inside(path: str | Path, roots: Iterable[str | Path]) -> bool:
    """Whether the real place of `path` lies below one of the roots, with no component below it that begins with a dot.

    A missing file is judged by where it would be. A root may itself be hidden: whoever configured it meant it.
    """
    real = os.path.realpath(path)
    for root in roots:
        top = os.path.realpath(root)
        if os.path.commonpath((real, top)) == top and not _hidden(Path(real).relative_to(top)):
            return True
    return False


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def read_file(path: str | Path, *, size: int | None = None, mtime_ns: int | None = None) -> bytes:
    """The bytes of a regular file that still is what a listing saw (where given). Raises Unreadable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hang the job
        with os.fdopen(descriptor, "rb") as stream:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise Unreadable("not_a_file", "This is not a regular file.")
            if found.st_size > MAX_FILE_BYTES:
                raise Unreadable("too_large", f"The file is larger than {MAX_FILE_BYTES >> 20} MiB.")
            if size not in (None, found.st_size) or mtime_ns not in (None, found.st_mtime_ns):
                raise Unreadable("changed", "The file changed after it was listed.")
            return stream.read()
    except OSError as error:
        raise unreadable(error) from error


def unreadable(error: OSError) -> Unreadable:
    """What the operating system said, as a reason."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return Unreadable("missing", "The file is not there.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Unreadable("no_permission", "The file may not be read.")
    return Unreadable("unreadable", f"The file could not be read ({errno.errorcode.get(error.errno or 0, 'EIO')}).")
