"""Starts the supervisor as a child of the server or of `tessera worker`, and starts it again where it dies."""

import logging
import os
import subprocess
import threading
from collections.abc import Sequence
from time import monotonic

from app import children
from app.jobs.lifeline import Lifeline
from app.settings import Settings

ENTRY = ("-m", "app.jobs.supervisor")
QUICK_DEATH, PAUSE = 5.0, 2.0  # a supervisor that dies within so many seconds is started again after a pause
LEAVE_WITHIN = 9.0  # seconds in which a supervisor has to end
GIVE_UP = 2  # the exit status of a supervisor that is not started again, because it cannot work here

log = logging.getLogger("tessera.jobs")


class SupervisorProcess:
    """Keeps one supervisor running between `start` and `close`."""

    def __init__(self, settings: Settings, entry: Sequence[str] = ENTRY, *, quiet: bool = False) -> None:
        self._settings = settings
        self._stderr = subprocess.DEVNULL if quiet else None
        self._entry = tuple(entry)
        self._closing = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: Lifeline | None = None
        self._thread = threading.Thread(target=self._keep_running, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start the supervisor, and the thread that watches it."""
        self._spawn()
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The process id of the current supervisor."""
        return None if self._process is None else self._process.pid

    def wait(self) -> None:
        """Return when the supervisor has ended and is not started again."""
        self._thread.join()

    def close(self) -> None:
        """End the supervisor, which puts its jobs back into the queue."""
        self._closing.set()
        process = self._process
        if process is not None:
            process.terminate()
            try:
                process.wait(LEAVE_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
        self._thread.join()

    def _spawn(self) -> None:
        lifeline = Lifeline.open()
        environment = {**os.environ, **lifeline.environment(), "TESSERA_DEVICE": self._settings.device}
        if self._settings.database_url is not None:
            environment["TESSERA_DATABASE_URL"] = self._settings.database_url
        try:
            self._process = children.start(
                *self._entry,
                str(self._settings.workspace),
                stderr=self._stderr,
                environment=environment,
                pass_fds=(lifeline.given,),
                own_session=True,  # so that Ctrl-C reaches only the server, which ends this one
            )
        finally:
            lifeline.started()
        self._lifeline = lifeline

    def _keep_running(self) -> None:
        while self._process is not None and self._lifeline is not None:
            began = monotonic()
            status = self._process.wait()
            self._lifeline.close()
            if self._closing.is_set() or status == GIVE_UP:
                return
            log.warning("the supervisor ended with status %d and is started again", status)
            if monotonic() - began < QUICK_DEATH and self._closing.wait(PAUSE):
                return
            self._spawn()
