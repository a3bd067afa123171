"""What takes longer than a request may: computed once in a thread, kept on disk, and until then 'being prepared'."""

import hashlib
import io
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, TimeoutError
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.atomic import write_bytes

PATIENCE = 0.8  # seconds a request waits before it says that something is being prepared
KEPT_FILES = 200
KEPT_IN_MEMORY = 24

Arrays = Mapping[str, NDArray[Any]]

log = logging.getLogger(__name__)


class Preparing:
    """Named arrays by what they were computed from; shared by all threads of a server.

    A file that is damaged or gone is computed again, so the folder may be emptied at any time. Not an
    `app.recent.Recent`: there whoever asks first makes the value and the others wait, here a thread of its own makes
    it, nobody waits longer than their patience, and the folder keeps what memory lets go.
    """

    def __init__(self, folder: Path, *, patience: float = PATIENCE) -> None:
        self._folder = folder
        self._patience = patience
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Future[Arrays]] = OrderedDict()

    def get(self, name: str, inputs: tuple[object, ...], make: Callable[[], Arrays]) -> Arrays | None:
        """The arrays, or None while they are being computed. Raises what `make` raises, and tries again next time."""
        try:
            return self._start(name, inputs, make).result(self._patience)
        except TimeoutError:
            return None

    def wait(self, name: str, inputs: tuple[object, ...], make: Callable[[], Arrays]) -> Arrays:
        """The same, however long it takes: only for what is being prepared itself."""
        return self._start(name, inputs, make).result()

    def _start(self, name: str, inputs: tuple[object, ...], make: Callable[[], Arrays]) -> "Future[Arrays]":
        key = f"{name}-{hashlib.sha256(repr(inputs).encode()).hexdigest()[:20]}"
        with self._lock:
            known = self._known.get(key)
            future = known or Future()
            self._known[key] = future
            self._known.move_to_end(key)
        if known is None:
            threading.Thread(target=self._fill, args=(key, make, future), name=f"prepare {name}", daemon=True).start()
        return future

    def _fill(self, key: str, make: Callable[[], Arrays], future: "Future[Arrays]") -> None:
        try:
            found = self._read(key)
            if found is None:
                found = make()
                self._write(key, found)
            future.set_result(found)
        except BaseException as error:
            with self._lock:
                self._known.pop(key, None)
            future.set_exception(error)
            return
        with self._lock:
            while len(self._known) > KEPT_IN_MEMORY:
                self._known.popitem(last=False)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.npz"

    def _read(self, key: str) -> Arrays | None:
        try:
            with np.load(self._path(key), allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except (OSError, EOFError, ValueError, KeyError, BadZipFile):
            return None

    def _write(self, key: str, arrays: Arrays) -> None:
        """Keep it; a full disk costs only that it is computed again."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        try:
            write_bytes(self._path(key), buffer.getvalue())
            files = sorted(self._folder.glob("*.npz"), key=lambda path: path.stat().st_mtime)
            for path in files[:-KEPT_FILES]:
                path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("could not keep %s: %s", key, error.strerror)
