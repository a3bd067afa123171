"""What errors of the operating system and of the database mean for the person at the keyboard.

A full disk or a locked database can show up in any function, so these errors are not caught where they arise: the web,
the command line and jobs ask here what to tell. Every other error is a defect of the program.
"""

import errno
import sqlite3

from app.failures import Busy, Conflict, DomainError, NoRoom

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
RETRY_AFTER = 5  # seconds, for a database that another process has locked


def known_error(error: BaseException) -> DomainError | None:
    """The failure that an error stands for, to be told to a user; None where it is a defect or something unforeseen."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, OSError):
        return disk_full() if error.errno in FULL else None
    original = getattr(error, "orig", None)  # SQLAlchemy's errors hold that of the database's own library
    if isinstance(original, sqlite3.Error):
        return _of_database(original)
    return _of_database(error) if isinstance(error, sqlite3.Error) else None


def disk_full() -> NoRoom:
    """The failure of a write for which the disk, or this user's share of it, has no room."""
    return NoRoom("disk_full", "The disk of the workspace is full. Make room on it, then try again.")


def _of_database(error: sqlite3.Error) -> DomainError | None:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:  # the lowest byte is the kind of error
        case sqlite3.SQLITE_FULL:
            return disk_full()
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            message = "Another program keeps the workspace's database locked; try again in a few seconds."
            return Busy("database_busy", message, retry_after=RETRY_AFTER)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            message = "The workspace cannot be written: this user needs the right to write its folder and tessera.db."
            return Conflict("workspace_read_only", message)
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            message = "The database of the workspace, tessera.db, is damaged: put back a copy of it."
            return Conflict("database_damaged", message)
    return None
