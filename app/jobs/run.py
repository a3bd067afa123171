"""The process of every job: `python -m app.jobs.run DIR` runs the attempt that DIR/spec.json describes.

It exits with 0 (done), 1 (failed; the reason is an event), 74 (failed; the disk was so full that not even the reason
could be written) or 75 (to be run again). Only the supervisor decides what
this means for the job.
"""

import contextlib
import fcntl
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import NoReturn

from app.failures import NoRoom
from app.jobs import lifeline
from app.jobs.catalogue import KINDS, Kind
from app.jobs.context import JobContext, JobFailed, Stopped
from app.jobs.hidden_paths import without_places
from app.jobs.verdict import DISK_WAS_FULL
from app.known_errors import FULL, known_error

LOG, LOCK, TRACEBACK = "log.txt", "lock", "traceback.txt"
DONE, FAILED, DISK_FULL, REQUEUE = 0, 1, lifeline.DISK_FULL, lifeline.REQUEUE
LOCK_WAIT = 5.0  # seconds to wait for the process of an earlier attempt to end


def _write_log(folder: Path) -> None:
    """Send standard output and error, of libraries and of their C code too, to the job's log."""
    descriptor = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _lock(folder: Path) -> bool:
    """Take the job's lock, which is held until this process ends; False where another process keeps it."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    deadline = monotonic() + LOCK_WAIT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if monotonic() > deadline:
                return False
            sleep(0.05)


def explain(error: Exception, workspace: Path) -> tuple[str, str]:
    """The code of a failure, and a message for the person who started the job."""
    if isinstance(error, JobFailed):
        return error.code, error.message
    known = known_error(error)
    if isinstance(known, NoRoom):
        return known.code, DISK_WAS_FULL.message
    if type(error).__name__ == "OutOfMemoryError":  # torch's own class, without importing torch
        return "gpu_oom", "The device ran out of memory. Use a smaller batch, or free the device, and resume."
    if isinstance(error, MemoryError):
        return "out_of_memory", "This machine ran out of memory. Use a smaller batch, and resume."
    if isinstance(error, FileNotFoundError):
        return "input_missing", f"A file that this job needs is not there: {Path(str(error.filename)).name}."
    code = getattr(error, "code", None)
    if isinstance(code, str):
        return code, without_places(str(error), workspace)
    return "error", without_places(f"{type(error).__name__}: {error}", workspace)


def run(folder: Path, kinds: Mapping[str, Kind] = KINDS) -> int:
    """Run the attempt in this process and return its exit status."""
    job = JobContext.open(folder)
    job.started()
    try:
        if job.kind not in kinds:
            raise JobFailed("unknown_kind", f"There is no kind of job called {job.kind!r}.")
        kind = importlib.import_module(kinds[job.kind].module)
        for number in (signal.SIGTERM, signal.SIGINT):  # before this there is nothing to save
            signal.signal(number, lambda *_: job.stop())
        kind.run(job)
    except Stopped:
        return REQUEUE
    except Exception as error:
        code, message = explain(error, job.workspace)
        job.failed(code, message)  # first: on a full disk the traceback may find no room
        with contextlib.suppress(OSError):
            (folder / TRACEBACK).write_text(traceback.format_exc(), "utf-8")
        return FAILED
    else:
        return DONE
    finally:
        job.close()


def main(arguments: list[str], kinds: Mapping[str, Kind] = KINDS) -> int:
    """Run the job whose folder the command line names, with its log, lock and lifeline; returns the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m app.jobs.run DIR\n")
        return FAILED
    folder = Path(arguments[0]).resolve()
    lifeline.watch()
    try:
        _write_log(folder)
        if not _lock(folder):
            sys.stderr.write("another process still runs this job\n")
            return REQUEUE
        return run(folder, kinds)
    except OSError as error:
        if error.errno in FULL:
            return DISK_FULL
        raise


def leave(status: int) -> NoReturn:
    """End the process without the interpreter's clean-up, in which libraries take seconds or crash."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
