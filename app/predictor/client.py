"""The server's side of the predictor: starts it, keeps it alive, hands it questions, never waits without end."""

import logging
import os
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

QUEUE = 16
TIMEOUT = 30.0  # seconds one question may take, waiting in the queue included
HUNG = 120.0  # seconds after which a predictor that answers nothing is replaced
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before it is started again
MAX_THREADS = 4

log = logging.getLogger(__name__)


class Predictor:
    """One subprocess with resident networks; every method may be called from any thread.

    All raise Busy while it starts, after it died, when 16 questions wait, or when an answer takes too long; Conflict
    where the weights changed on disk; BadQuery where the question does not fit the network.
    """

    def __init__(self, settings: Settings, *, timeout: float = TIMEOUT) -> None:
        self._settings = settings
        self._timeout = timeout
        self._lock = threading.Lock()
        self._pending: dict[int, tuple[float, Future[Answer | Failure]]] = {}
        self._number = 0
        self._pipe: Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = threading.Event()
        self._closing = threading.Event()
        self._keeper: threading.Thread | None = None

    def start(self) -> None:
        """Return at once; the process comes up in the background."""
        self._keeper = threading.Thread(target=self._keep_alive, name="predictor", daemon=True)
        self._keeper.start()

    def close(self) -> None:
        """End the process and everyone who waits for it."""
        self._closing.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        if self._keeper is not None:
            self._keeper.join(timeout=10)

    def wait_ready(self, timeout: float) -> bool:
        """Whether the process answers within so many seconds."""
        return self._ready.wait(timeout)

    @property
    def ready(self) -> bool:
        """Whether the process answers now."""
        return self._ready.is_set()

    @property
    def pid(self) -> int | None:
        """The process that answers, while there is one."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def embed(self, network: NetworkRef, jpeg: bytes, layer: str, box: Box | None = None) -> EmbedAnswer:
        """The pooled vector of a layer, as a scan computes it."""
        answer = self._ask(EmbedRequest(network, jpeg, layer, box))
        assert isinstance(answer, EmbedAnswer)
        return answer

    def count(self, network: NetworkRef, jpeg: bytes, *, kernel: str = "area", box: Box | None = None) -> CountAnswer:
        """The counting equation of the checkpoint's own crop, or of a box."""
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
        """How much nested crops count, in the order of `areas`."""
        answer = self._ask(CurveRequest(network, jpeg, tuple(areas), kernel))
        assert isinstance(answer, tuple)
        return answer

    def pose(self, task: str, network: NetworkRef | None, jpegs: tuple[bytes, ...], how: Pose) -> Posed:
        """A puzzle of the first image and, with a network that was trained on it, the answer."""
        answer = self._ask(PoseRequest(network, task, jpegs, how))
        assert isinstance(answer, Posed)
        return answer

    def _ask(self, request: Request) -> Answer:
        number, future = self._enqueue(request)
        try:
            result = future.result(timeout=self._timeout)
        except NotInTime:
            # The place in the queue stays taken until the answer comes: work that nobody awaits must not pile up.
            raise Busy("predictor_slow", "The network takes too long to answer; try again.") from None
        if isinstance(result, Failure):
            raise _failure(result)
        log.debug("question %d answered", number)
        return result

    def _enqueue(self, request: Request) -> tuple[int, "Future[Answer | Failure]"]:
        with self._lock:
            if self._pipe is None or not self._ready.is_set():
                raise Busy("predictor_starting", "The network is being loaded; try again in a few seconds.")
            if len(self._pending) >= QUEUE:
                raise Busy("predictor_busy", f"{QUEUE} questions are waiting already; try again in a few seconds.")
            self._number += 1
            future: Future[Answer | Failure] = Future()
            self._pending[self._number] = (time.monotonic(), future)
            try:
                self._pipe.send(Numbered(self._number, request))
            except OSError:
                del self._pending[self._number]
                raise Busy("predictor_starting", "The network is being loaded again; try again.") from None
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
        """One process from start to end; on return nobody waits for it any more."""
        ours, theirs = socket.socketpair()
        try:
            self._process = _spawn(theirs.fileno(), self._settings.device)
        finally:
            theirs.close()
        pipe = Connection(ours.detach())
        with self._lock:
            self._pipe = pipe
        try:
            self._listen(pipe)
        except (EOFError, OSError):
            pass
        finally:
            self._ready.clear()
            with self._lock:
                self._pipe = None
                orphans, self._pending = list(self._pending.values()), {}
            pipe.close()
            _end(self._process)
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


def _spawn(descriptor: int, device: str) -> "subprocess.Popen[bytes]":
    threads = min(MAX_THREADS, usable_cores())
    words = ("-m", "app.predictor.worker", str(descriptor), device, str(threads))
    # The server runs with one OpenMP thread for faiss; the predictor has its own number.
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
