"""The predictor's process: `python -m app.predictor.worker FD DEVICE THREADS`, started by the client.

One thread reads the pipe, and ends the process when the pipe is closed; the main thread answers one question at a time.
"""

import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

from app.predictor.messages import Numbered, Ready, Reply


def read_questions(pipe: Connection, questions: "queue.SimpleQueue[Numbered]", leave: Callable[[int], None]) -> None:
    """Read all questions at once, so that the server never blocks in sending; `leave` when the pipe is closed."""
    try:
        while True:
            questions.put(pipe.recv())
    except (EOFError, OSError):
        leave(0)


def main(descriptor: int, wanted: str, threads: int) -> None:
    """Answer questions until the pipe is closed."""
    logging.basicConfig(level=logging.INFO, format="predictor: %(message)s")
    logging.getLogger("faiss").setLevel(logging.WARNING)  # at INFO it logs every build that it tries
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the server ends this one
    pipe = Connection(descriptor)
    questions: queue.SimpleQueue[Numbered] = queue.SimpleQueue()
    threading.Thread(target=read_questions, args=(pipe, questions, os._exit), daemon=True).start()
    # This imports torch, which takes seconds; the thread above already ends the process if the server ends meanwhile.
    from app.predictor.answering import Residents, attempt, choose_device, prepare

    prepare(threads)
    device = choose_device(wanted)
    residents = Residents(device)
    pipe.send(Ready(device, threads))
    while True:
        numbered = questions.get()
        try:
            pipe.send(Reply(numbered.number, attempt(residents, numbered.request)))
        except OSError:
            return


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
