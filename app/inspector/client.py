"""The server's side of the inspector: starts the process when it is first needed, asks it, and raises its refusals."""

import json
import logging
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from app import children
from app.failures import BadQuery, Busy, Conflict, DomainError, Forbidden, NotFound, TooLarge, WrongType
from app.inspector.limits import wall_for

QUEUE: Final = 8  # questions that may wait or be answered at the same time
START: Final = 120.0  # seconds that importing torch may take
KINDS: Final[dict[str, type[DomainError]]] = {
    "file_too_large": TooLarge,
    "unsupported_format": WrongType,
    "input_missing": NotFound,
    "no_permission": Forbidden,
    "checkpoint_changed": Conflict,
}

Said = tuple[dict[str, Any], bytes]  # how a reader ended, and its answer

log = logging.getLogger(__name__)


class Inspector:
    """Asks the inspector's process, which forks a reader for each question; methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: dict[int, tuple[Connection, Future[Said]]] = {}
        self._number = 0
        self._pipe: Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def warm(self, after: Callable[[float], object]) -> None:
        """Start the process in the background, once `after(START)` returns.

        `after` waits for the predictor, so that two processes do not import torch at the same time.
        """

        def start() -> None:
            after(START)
            with self._lock:
                if not self._closed:
                    self._running_pipe()

        threading.Thread(target=start, name="inspector", daemon=True).start()

    def close(self) -> None:
        """End the process and its readers; threads that wait for an answer get Busy."""
        with self._lock:
            self._closed = True
            process = self._process
        if process is not None:
            process.terminate()
            _end(process)

    @property
    def pid(self) -> int | None:
        """The id of the process that forks; None while there is none."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def ask(self, kind: str, path: Path, **fields: Any) -> dict[str, Any]:
        """A reader's answer to a question about a file. Raises the DomainError of a refusal, or Busy."""
        try:
            size = path.stat().st_size
        except OSError:
            size = 0
        future = self._enqueue({"kind": kind, "path": str(path), "bytes": size, **fields})
        try:
            how, said = future.result(timeout=START + QUEUE * wall_for(size))
        except NotInTime:
            raise Busy("inspector_slow", "Files are read too slowly now; try again.", retry_after=10) from None
        if how["status"] != 0:
            raise _killed(how)
        result = json.loads(said)
        if "failure" in result:
            raise refusal(**result["failure"])
        found: dict[str, Any] = result["answer"]
        return found

    def _enqueue(self, question: dict[str, Any]) -> "Future[Said]":
        with self._lock:
            if self._closed:
                raise Busy("inspector_closed", "The server is being stopped.")
            if len(self._pending) >= QUEUE:
                raise Busy("inspector_busy", f"{QUEUE} files are being read already; try again.", retry_after=5)
            pipe = self._running_pipe()
            self._number += 1
            future: Future[Said] = Future()
            self._pending[self._number] = (pipe, future)
            try:
                pipe.send_bytes(json.dumps({**question, "number": self._number}).encode())
            except OSError:
                del self._pending[self._number]
                raise _lost() from None
            return future

    def _running_pipe(self) -> Connection:
        """The pipe to the process, which is started where none runs. The caller holds the lock."""
        if self._pipe is None or self._process is None or self._process.poll() is not None:
            ours, theirs = socket.socketpair()
            with theirs:
                self._process = _spawn(theirs.fileno())
            self._pipe = Connection(ours.detach())
            listening = threading.Thread(
                target=self._listen, args=(self._pipe, self._process), name="inspector", daemon=True
            )
            listening.start()
        return self._pipe

    def _listen(self, pipe: Connection, process: "subprocess.Popen[bytes]") -> None:
        try:
            while True:
                how, said = json.loads(pipe.recv_bytes()), pipe.recv_bytes()
                with self._lock:
                    _, future = self._pending.pop(int(how["number"]))
                future.set_result((how, said))
        except (EOFError, OSError, ValueError, KeyError):
            pass
        with self._lock:
            # The next process may run already, so only questions to this one are lost.
            lost = [number for number, (asked, _) in self._pending.items() if asked is pipe]
            orphans = [self._pending.pop(number)[1] for number in lost]
            if self._pipe is pipe:
                self._pipe = None
        pipe.close()
        _end(process)
        if not self._closed:
            log.warning("the inspector ended; it is started again when a file is to be read")
        for future in orphans:
            future.set_exception(_lost())


def refusal(code: str, message: str, detail: object = None) -> DomainError:
    """The error of a failure, by its code; BadQuery for codes that are not in KINDS."""
    return KINDS.get(code, BadQuery)(code, message, detail)


def _killed(how: dict[str, Any]) -> DomainError:
    """The error for a reader that was killed, because it was too slow or because the file crashed it."""
    if how["late"]:
        return BadQuery(
            "time_limit", "Reading this file takes far longer than a file of its size should; it was stopped."
        )
    try:
        by = signal.Signals(-how["status"]).name
    except ValueError:
        by = str(how["status"])
    log.warning("a reader ended with %s", by)
    return BadQuery("reader_crashed", "This file brought its reader down; it is damaged or made to do so.", {"by": by})


def _lost() -> Busy:
    return Busy("inspector_lost", "The process that reads files was lost and starts again; try again.")


def _spawn(descriptor: int) -> "subprocess.Popen[bytes]":
    """Start the process with one thread in every library, which forking needs, and without accelerators."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TORCH_FORCE")}
    environment = {**kept, **one, "CUDA_VISIBLE_DEVICES": ""}
    return children.start(
        "-m", "app.inspector.server", str(descriptor), environment=environment, pass_fds=(descriptor,)
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
