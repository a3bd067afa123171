"""Writes that are either wholly there or not there at all, also after a power cut."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def sync_folder(folder: Path) -> None:
    """Ask the disk to keep the folder's own entries (names, renames)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the file by one holding `data`: a reader sees the old bytes or the new ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replace the file by one holding `text` as UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Replace the file by `value` as indented JSON; NaN and infinities are refused."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def sync_tree(folder: Path) -> None:
    """Ask the disk to keep every file and folder below `folder`, itself included."""
    for parent, _folders, files in os.walk(folder):
        for name in files:
            descriptor = os.open(Path(parent) / name, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(parent))


def replace_folder(temporary: Path, final: Path) -> None:
    """Make `final` the finished folder `temporary`, replacing what was there (both on one disk)."""
    sync_tree(temporary)
    final.parent.mkdir(parents=True, exist_ok=True)
    discarded: Path | None = None
    if final.exists():
        discarded = Path(tempfile.mkdtemp(dir=final.parent, prefix=f".{final.name}.", suffix=".old"))
        final.replace(discarded / final.name)
    temporary.replace(final)
    sync_folder(final.parent)
    if discarded is not None:
        shutil.rmtree(discarded, ignore_errors=True)


def sweep(folders: Iterable[Path]) -> None:
    """Delete what writers that were killed left behind below the folders; call it only while no one writes there."""
    for folder in folders:
        for left in [*folder.rglob(".*.tmp"), *folder.rglob(".*.old")]:
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
