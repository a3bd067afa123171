"""The folder of a workspace: made for its owner alone, and never given a new database beside old content."""

import os
import stat
from pathlib import Path

from app.failures import Conflict

DATABASE = "tessera.db"
CONTENT = ("galleries", "checkpoints", "scans", "clusters", "jobs")  # folders that the database describes
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def prepare_workspace(workspace: Path, *, own_database: bool = True) -> None:
    """Make the folder where it is missing, readable by its owner alone.

    Raises Conflict where it cannot be made or written, and where it has content but no database (`own_database`: the
    database is the file in it): a new one would know nothing of that content.
    """
    try:
        workspace.parent.mkdir(parents=True, exist_ok=True)
        workspace.mkdir(mode=0o700, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise Conflict("bad_workspace", f"{workspace} is no folder, so it cannot be a workspace.") from None
    except PermissionError:
        raise Conflict("bad_workspace", f"The workspace {workspace} cannot be made: no right to write there.") from None
    database = workspace / DATABASE
    if not os.access(workspace, os.W_OK | os.X_OK) or (database.exists() and not os.access(database, os.W_OK)):
        message = f"The workspace {workspace} cannot be written: this user needs the right to write it and {DATABASE}."
        raise Conflict("workspace_read_only", message)
    if own_database and not (database.exists() and database.stat().st_size) and (found := _content(workspace)):
        message = (
            f"The workspace {workspace} has content ({', '.join(found)}), but its database {DATABASE} is missing or "
            f"empty. Put back a copy of {DATABASE}, or choose another workspace."
        )
        raise Conflict("database_missing", message)


def open_to_others(workspace: Path) -> bool:
    """Whether other users of the machine may read or write the folder."""
    return bool(workspace.stat().st_mode & OTHERS)


def _content(workspace: Path) -> list[str]:
    return [name for name in CONTENT if (workspace / name).is_dir() and any((workspace / name).iterdir())]
