"""The inspector's process, which forks readers: `python -m app.inspector.server FD`, started by the client.

It imports torch once and has only one thread, so that it can fork. Each question is answered by a child of its own,
which is limited in memory and time. A child's answer is passed on as bytes and never interpreted here.
"""

import gc
import json
import logging
import os
import signal
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, Final

from app.inspector.limits import RESULT, wall_for

AT_ONCE: Final = 2  # children at the same time
PIECE: Final = 1 << 20  # bytes that are read at a time


@dataclass
class Child:
    """A running reader and the bytes of its answer so far; `pipe` is the descriptor that it answers to.

    `deadline` is in seconds of the monotonic clock; `late` says that it was killed because it passed its deadline.
    """

    number: int
    pid: int
    pipe: int
    deadline: float
    said: bytearray = field(default_factory=bytearray)
    late: bool = False


class InspectorServer:
    """Answers questions in their order, at most two at the same time."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.waiting: deque[dict[str, Any]] = deque()
        self.children: dict[int, Child] = {}

    def serve(self) -> None:
        """Answer questions until the pipe is closed, which raises EOFError or OSError."""
        while True:
            while self.waiting and len(self.children) < AT_ONCE:
                self._fork(self.waiting.popleft())
            ready = wait([self.pipe, *self.children], timeout=1.0 if self.children else None)
            for source in ready:
                if source is self.pipe:
                    self.waiting.append(json.loads(self.pipe.recv_bytes()))
                elif isinstance(source, int):
                    self._hear(self.children[source])
            for child in self.children.values():
                if time.monotonic() > child.deadline and not child.late:
                    child.late = True
                    os.kill(child.pid, signal.SIGKILL)

    def end_children(self) -> None:
        for child in self.children.values():
            os.kill(child.pid, signal.SIGKILL)

    def _fork(self, question: dict[str, Any]) -> None:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(reading)
                self.pipe.close()
                for other in self.children:
                    os.close(other)
                from app.inspector.child import answer

                answer(question, writing)
            finally:
                os._exit(1)
        os.close(writing)
        deadline = time.monotonic() + wall_for(int(question.get("bytes", 0)))
        self.children[reading] = Child(int(question["number"]), pid, reading, deadline)

    def _hear(self, child: Child) -> None:
        piece = os.read(child.pipe, PIECE)
        child.said += piece
        if piece and len(child.said) <= RESULT:
            return
        if piece:
            os.kill(child.pid, signal.SIGKILL)
        os.close(child.pipe)
        del self.children[child.pipe]
        _, status = os.waitpid(child.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        how = {"number": child.number, "status": code, "late": child.late or code == -signal.SIGXCPU}
        self.pipe.send_bytes(json.dumps(how).encode())
        self.pipe.send_bytes(bytes(child.said) if code == 0 else b"")


def main(descriptor: int) -> None:
    """Import torch, then answer questions until the pipe is closed."""
    logging.basicConfig(level=logging.INFO, format="inspector: %(message)s")
    logging.getLogger("faiss").setLevel(logging.WARNING)  # at INFO it logs every build that it tries
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the server ends this one
    pipe = Connection(descriptor)
    import app.inspector.work  # noqa: F401 (imports torch before children need it)

    gc.freeze()
    server = InspectorServer(pipe)
    try:
        server.serve()
    except (EOFError, OSError):
        server.end_children()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
