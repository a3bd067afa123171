"""The checks of `tessera doctor`: this machine, its libraries, and every file of the workspace; it changes nothing."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import children
from app.failures import DomainError
from app.known_errors import known_error
from app.settings import Settings
from app.store.engine import build_engine, database_url
from app.store.migrations import HEAD
from app.store.tables import CheckpointRow, GalleryRow
from app.store.workspace import DATABASE, prepare_workspace
from models.card import WEIGHTS, file_sha256

Status = Literal["ok", "warn", "fail"]
LIBRARIES = ("torch", "torchvision", "faiss-cpu", "numpy", "pyarrow", "pillow", "fastapi", "starlette", "sqlalchemy")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LEFT_OVER_AFTER = 3600.0  # seconds; a younger temporary file may still be in use
LOW_DISK = 2_000_000_000  # bytes
TORCH_PROBE = """
import io, json, torch, torchvision
from PIL import Image
buffer = io.BytesIO()
Image.new("RGB", (16, 16), (200, 30, 30)).save(buffer, "JPEG")
decoded = torchvision.io.decode_image(torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8))
kept = torchvision.ops.nms(torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 4.1]]), torch.tensor([0.9, 0.8]), 0.5)
assert decoded.shape == (3, 16, 16) and kept.tolist() == [0]
devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
print(json.dumps({"torch": torch.__version__, "torchvision": torchvision.__version__,
                  "threads": torch.get_num_threads(), "devices": devices}))
"""


@dataclass(frozen=True)
class Check:
    """The result of one check; the message says what was found, and what to do about a problem."""

    name: str
    status: Status
    message: str


def examine(settings: Settings, *, torch: bool = True) -> Iterator[Check]:
    """Run all checks and yield each result; with `torch` one of them imports torch, which takes seconds."""
    yield versions()
    if torch:
        yield torch_works()
    yield chromium()
    yield free_disk(settings.workspace)
    yield from workspace(settings)


def versions() -> Check:
    """The versions of Python, SQLite and the most important libraries, from their metadata."""
    python = ".".join(map(str, sys.version_info[:3]))
    found = [f"Python {python}", f"SQLite {sqlite3.sqlite_version}"]
    missing = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        advice = "install Tessera again (in a clone: run `make demo` once)"
        return Check("versions", "fail", f"not installed: {', '.join(missing)}; {advice}")
    return Check("versions", "ok", ", ".join(found))


def torch_works(code: str = TORCH_PROBE) -> Check:
    """Whether torch and torchvision work: a process imports them, decodes a JPEG, calls a compiled operator."""
    try:
        ran = children.run("-c", code, timeout=180)
    except subprocess.TimeoutExpired:
        return Check("torch", "fail", "importing torch took more than 3 minutes")
    if ran.returncode:
        reason = (ran.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit status {ran.returncode}"])[-1]
        return Check("torch", "fail", f"torch and torchvision do not work together: {reason}")
    probe = json.loads(ran.stdout.strip().splitlines()[-1])
    devices = ", ".join(probe["devices"]) or "no GPU"
    return Check(
        "torch",
        "ok",
        f"{probe['torch']} with torchvision {probe['torchvision']}, {probe['threads']} threads, {devices}",
    )


def chromium() -> Check:
    """Whether there is the browser that the tests use; Tessera itself needs none."""
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        return Check("chromium", "warn", "none found: the browser tests will skip (nothing else needs it)")
    return Check("chromium", "ok", Path(found).name)


def free_disk(folder: Path) -> Check:
    """The free space on the disk of the workspace."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    status: Status = "ok" if free > LOW_DISK else "warn"
    return Check("disk", status, f"{free / 1e9:.1f} GB free for {folder}")


def workspace(settings: Settings) -> Iterator[Check]:
    """The checks of the workspace: database, packs, checkpoints, and old temporary files."""
    if not settings.workspace.exists():
        yield to_be_made(settings.workspace)
        return
    yield writable(settings)
    if settings.database_url is None:
        if not (settings.workspace / DATABASE).exists():
            return
        yield database(settings.workspace / DATABASE)
    engine = build_engine(settings.database_url or database_url(settings.workspace))
    try:
        with Session(engine) as session:
            galleries = session.scalars(select(GalleryRow)).all()
            checkpoints = session.scalars(select(CheckpointRow)).all()
    except Exception as error:
        yield Check("tables", "fail", f"cannot be read: {type(error).__name__}")
        return
    finally:
        engine.dispose()
    yield packs(settings.workspace, galleries)
    yield weights(settings.workspace, checkpoints)
    yield left_over(settings.workspace)


def to_be_made(folder: Path) -> Check:
    """Whether a workspace that does not exist yet could be made."""
    existing = next(path for path in folder.parents if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Check("workspace", "fail", f"none at {folder}, and this user has no right to write {existing}")
    return Check("workspace", "warn", f"no workspace at {folder} yet; `tessera demo` makes one")


def writable(settings: Settings) -> Check:
    """Whether this user may write the workspace, and the disk takes a small file."""
    try:
        prepare_workspace(settings.workspace, own_database=settings.database_url is None)
        with tempfile.TemporaryFile(dir=settings.workspace) as file:
            file.write(bytes(1 << 16))
    except (DomainError, OSError) as error:
        return Check("writing", "fail", str(known_error(error) or error))
    return Check("writing", "ok", "the workspace can be written")


def database(path: Path) -> Check:
    """Whether the database is intact by SQLite's own check, and whether this program knows its schema."""
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)
        try:
            verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
            version = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error as error:
        return Check("database", "fail", f"{path.name} cannot be read: {error}")
    if verdict != "ok":
        return Check("database", "fail", f"{path.name} is damaged: {verdict}")
    if version > HEAD:
        return Check("database", "fail", f"written by a newer Tessera (schema {version}, known here: {HEAD})")
    return Check("database", "ok", f"whole, schema {version}")


def packs(root: Path, galleries: Iterable[GalleryRow]) -> Check:
    """Whether every shard has the SHA-256 that the database records."""
    wanted = [
        (f"{gallery.slug}/{shard['file']}", root / gallery.folder / shard["file"], shard["sha256"])
        for gallery in galleries
        for shard in gallery.shards
    ]
    return _hashes("packs", "shards", wanted, "remove the gallery and import it again")


def weights(root: Path, checkpoints: Iterable[CheckpointRow]) -> Check:
    """Whether every checkpoint's weights have the SHA-256 that the database records."""
    wanted = [(row.slug, root / row.folder / WEIGHTS, row.sha256) for row in checkpoints]
    return _hashes("checkpoints", "checkpoints", wanted, "train or register it again")


def _hashes(name: str, noun: str, wanted: list[tuple[str, Path, str]], advice: str) -> Check:
    bad = [label for label, path, sha256 in wanted if not _is(path, sha256)]
    if bad:
        return Check(name, "fail", f"missing or changed: {', '.join(bad[:10])}; {advice}")
    return Check(name, "ok", f"{noun}: {len(wanted)}, all as recorded")


def _is(path: Path, sha256: str, digest: Callable[[Path], str] = file_sha256) -> bool:
    try:
        return digest(path) == sha256
    except OSError:
        return False


def left_over(root: Path, *, now: float | None = None) -> Check:
    """Whether there are temporary files and folders of writes that never finished; they can be deleted."""
    moment = time.time() if now is None else now
    found = [
        path.relative_to(root).as_posix()
        for pattern in (".*.tmp", ".*.old")
        for path in root.rglob(pattern)
        if moment - path.lstat().st_mtime > LEFT_OVER_AFTER
    ]
    if found:
        return Check("temporary files", "warn", f"left over, safe to delete: {', '.join(sorted(found)[:10])}")
    return Check("temporary files", "ok", "none left over")
