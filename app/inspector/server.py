"""The process that forks readers: `python -m app.inspector.server FD`, started by the client.

It imports torch once and has one thread, so that it may fork; each question is answered by a child of its own, which
is bounded in memory and time and thrown away. A child's answer is passed on as bytes and never interpreted here.
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

AT_ONCE: Final = 2
PIECE: Final = 1 << 20


@dataclass
class Child:
    """A reader at work, and what it has answered so far."""

    number: int
    pid: int
    pipe: int
    deadline: float
    said: bytearray = field(default_factory=bytearray)
    late: bool = False


class InspectorServer:
    """Questions wait in order; at most two are answered at once."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.waiting: deque[dict[str, Any]] = deque()
        self.children: dict[int, Child] = {}

    def serve(self) -> None:
        """Answer until the pipe ends."""
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
    """Warm up, then fork on demand."""
    logging.basicConfig(level=logging.INFO, format="inspector: %(message)s")
    logging.getLogger("faiss").setLevel(logging.WARNING)  # it tells of every build that it tries
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server decides when we end
    pipe = Connection(descriptor)
    import app.inspector.work  # noqa: F401 (torch: the seconds that children do not spend)

    gc.freeze()
    server = InspectorServer(pipe)
    try:
        server.serve()
    except (EOFError, OSError):
        server.end_children()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
