"""The server's side of the predictor: starts the process, restarts it, and asks it questions with a time limit."""

import contextlib
import logging
import os
import queue
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from multiprocessing.connection import Connection

from app import children
from app.failures import BadQuery, Busy, Conflict
from app.predictor.messages import (
    Answer,
    CountRequest,
    CurveRequest,
    EmbedRequest,
    Failure,
    HeatmapRequest,
    NetworkRef,
    Numbered,
    PoseRequest,
    Ready,
    Reply,
    Request,
)
from app.settings import Settings
from models.answers import CountAnswer, CurvePoint, EmbedAnswer, HeatMap
from models.cores import usable_cores
from models.geometry import Box
from models.puzzles import Pose, Posed

QUEUE = 16  # questions that may wait or be answered at the same time
TIMEOUT = 30.0  # seconds that a question may take, including its time in the queue
HUNG = 120.0  # seconds without an answer after which the process is replaced
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds to wait before the process is started again
MAX_THREADS = 4

Outbox = queue.SimpleQueue[Numbered | None]

log = logging.getLogger(__name__)


class Predictor:
    """Asks the predictor's process; every method may be called from any thread.

    All questions raise Busy while the process starts or after it died, where 16 questions wait already, and where an
    answer takes too long; Conflict where the weights changed on disk; BadQuery where the question does not fit the
    network.
    """

    def __init__(self, settings: Settings, *, timeout: float = TIMEOUT) -> None:
        self._settings = settings
        self._timeout = timeout
        self._lock = threading.Lock()
        self._pending: dict[int, tuple[float, Future[Answer | Failure]]] = {}
        self._number = 0
        self._outbox: Outbox | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = threading.Event()
        self._closing = threading.Event()
        self._keeper: threading.Thread | None = None

    def start(self) -> None:
        """Start the process in the background; returns at once."""
        self._keeper = threading.Thread(target=self._keep_alive, name="predictor", daemon=True)
        self._keeper.start()

    def close(self) -> None:
        """End the process; threads that wait for an answer get Busy."""
        self._closing.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        if self._keeper is not None:
            self._keeper.join(timeout=10)

    def wait_ready(self, timeout: float) -> bool:
        """Wait until the process can answer, at most `timeout` seconds; whether it can."""
        return self._ready.wait(timeout)

    @property
    def ready(self) -> bool:
        """Whether the process can answer now."""
        return self._ready.is_set()

    @property
    def pid(self) -> int | None:
        """The id of the process; None while there is none."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def embed(self, network: NetworkRef, jpeg: bytes, layer: str, box: Box | None = None) -> EmbedAnswer:
        """The pooled vector of a layer, as a scan computes it."""
        answer = self._ask(EmbedRequest(network, jpeg, layer, box))
        assert isinstance(answer, EmbedAnswer)
        return answer

    def count(self, network: NetworkRef, jpeg: bytes, *, kernel: str = "area", box: Box | None = None) -> CountAnswer:
        """Both sides of the counting equation, for the checkpoint's central crop or for a box."""
        answer = self._ask(CountRequest(network, jpeg, kernel, box))
        assert isinstance(answer, CountAnswer)
        return answer

    def heatmap(self, network: NetworkRef, jpeg: bytes, layer: str, unit: int) -> HeatMap:
        """One unit's map over the part of the image that a scan sees."""
        answer = self._ask(HeatmapRequest(network, jpeg, layer, unit))
        assert isinstance(answer, HeatMap)
        return answer

    def curve(
        self, network: NetworkRef, jpeg: bytes, areas: Sequence[float], *, kernel: str = "area"
    ) -> tuple[CurvePoint, ...]:
        """The norm of the count vector of nested crops, in the order of `areas`."""
        answer = self._ask(CurveRequest(network, jpeg, tuple(areas), kernel))
        assert isinstance(answer, tuple)
        return answer

    def pose(self, task: str, network: NetworkRef | None, jpegs: tuple[bytes, ...], how: Pose) -> Posed:
        """A puzzle of the first image and, where a network is given, its answer; the task is that of its training."""
        answer = self._ask(PoseRequest(network, task, jpegs, how))
        assert isinstance(answer, Posed)
        return answer

    def _ask(self, request: Request) -> Answer:
        number, future = self._enqueue(request)
        try:
            result = future.result(timeout=self._timeout)
        except NotInTime:
            # The question stays in the queue until it is answered, so that unwanted work cannot pile up behind it.
            raise Busy("predictor_slow", "The network takes too long to answer; try again.") from None
        if isinstance(result, Failure):
            raise _failure(result)
        log.debug("question %d answered", number)
        return result

    def _enqueue(self, request: Request) -> tuple[int, "Future[Answer | Failure]"]:
        with self._lock:
            if self._outbox is None or not self._ready.is_set():
                raise Busy("predictor_starting", "The network is being loaded; try again in a few seconds.")
            if len(self._pending) >= QUEUE:
                raise Busy("predictor_busy", f"{QUEUE} questions are waiting already; try again in a few seconds.")
            self._number += 1
            future: Future[Answer | Failure] = Future()
            self._pending[self._number] = (time.monotonic(), future)
            self._outbox.put(Numbered(self._number, request))
            return self._number, future

    def _keep_alive(self) -> None:
        pause = FIRST_PAUSE
        while not self._closing.is_set():
            began = time.monotonic()
            try:
                self._live_once()
            except Exception:
                log.exception("the predictor could not be started")
            if self._closing.is_set():
                break
            if time.monotonic() - began > 60:
                pause = FIRST_PAUSE
            log.warning("the predictor ended; starting it again in %.1f s", pause)
            self._closing.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _live_once(self) -> None:
        """Run one process until it ends; questions that are then unanswered fail with Busy."""
        ours, theirs = socket.socketpair()
        try:
            self._process = _spawn(theirs.fileno(), self._settings.device)
        finally:
            theirs.close()
        pipe = Connection(ours.detach())
        outbox: Outbox = queue.SimpleQueue()
        writer = threading.Thread(target=_send_questions, args=(pipe, outbox), name="predictor-writer", daemon=True)
        writer.start()
        with self._lock:
            self._outbox = outbox
        try:
            self._listen(pipe)
        except (EOFError, OSError):
            pass
        finally:
            self._ready.clear()
            with self._lock:
                self._outbox = None
                orphans, self._pending = list(self._pending.values()), {}
            outbox.put(None)
            _end(self._process)  # also frees a writer that waits for a process which reads nothing
            writer.join()
            pipe.close()
            lost = Failure("busy", "predictor_lost", "The network was lost and is being loaded again; try again.")
            for _, future in orphans:
                future.set_result(lost)

    def _listen(self, pipe: Connection) -> None:
        while not self._closing.is_set():
            if not pipe.poll(1.0):
                if self._hung():
                    log.error("the predictor has answered nothing for %.0f s", HUNG)
                    return
                continue
            message = pipe.recv()
            if isinstance(message, Ready):
                log.info("predictor ready on %s with %d threads", message.device, message.threads)
                self._ready.set()
            elif isinstance(message, Reply):
                with self._lock:
                    _, future = self._pending.pop(message.number)
                future.set_result(message.result)

    def _hung(self) -> bool:
        with self._lock:
            oldest = min((asked for asked, _ in self._pending.values()), default=None)
        return oldest is not None and time.monotonic() - oldest > HUNG


def _send_questions(pipe: Connection, outbox: Outbox) -> None:
    """Send what is put into the outbox until None comes, or until the process has ended.

    Sending blocks while the process reads nothing and the pipe's buffer is full, so it has a thread of its own: neither
    callers, which have a time limit, nor the search for a hung process may wait for it.
    """
    with contextlib.suppress(OSError):
        while (question := outbox.get()) is not None:
            pipe.send(question)


def _spawn(descriptor: int, device: str) -> "subprocess.Popen[bytes]":
    threads = min(MAX_THREADS, usable_cores())
    words = ("-m", "app.predictor.worker", str(descriptor), device, str(threads))
    # The server's own OMP_NUM_THREADS is 1, for faiss; the predictor may use more threads.
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    return children.start(*words, environment=environment, pass_fds=(descriptor,))


def _end(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _failure(failure: Failure) -> Exception:
    match failure.kind:
        case "bad_query":
            return BadQuery(failure.code, failure.message)
        case "changed":
            return Conflict(failure.code, failure.message)
        case "busy":
            return Busy(failure.code, failure.message)
        case _:
            return RuntimeError(f"{failure.code}: {failure.message}")
