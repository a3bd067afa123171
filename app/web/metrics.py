"""What the server counts about itself, in the text format that Prometheus reads."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Labels = Mapping[str, str]


class Requests:
    """Counts answers by method and status, and adds up the seconds they took."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: Counter[tuple[str, int]] = Counter()
        self._seconds = 0.0
        self.started = time.time()

    def count(self, method: str, status: int, seconds: float) -> None:
        with self._lock:
            self._answers[method, status] += 1
            self._seconds += seconds

    def lines(self) -> list[str]:
        with self._lock:
            answers, seconds = dict(self._answers), self._seconds
        samples = [({"method": method, "status": str(status)}, n) for (method, status), n in sorted(answers.items())]
        return [
            *metric("tessera_requests_total", "counter", "Answered requests.", samples),
            *metric("tessera_request_seconds_total", "counter", "Time spent answering.", [({}, round(seconds, 6))]),
            *metric("tessera_start_time_seconds", "gauge", "When the server started.", [({}, self.started)]),
        ]


def metric(name: str, kind: str, text: str, samples: Iterable[tuple[Labels, float]]) -> list[str]:
    """The lines of one metric."""
    values = [f"{name}{_labels(labels)} {value:.15g}" for labels, value in samples]
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *values]


def _labels(labels: Labels) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class CountRequests:
    """ASGI middleware that reports every request to `Requests`; event streams are counted, but not their time."""

    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self.app = app
        self.requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begun, status, stream = time.perf_counter(), 500, False

        async def watch(message: Message) -> None:
            nonlocal status, stream
            if message["type"] == "http.response.start":
                status = message["status"]
                stream = any(value.startswith(b"text/event-stream") for _, value in message["headers"])
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            known = scope["method"] if scope["method"] in _METHODS else "other"
            self.requests.count(known, status, 0.0 if stream else time.perf_counter() - begun)
