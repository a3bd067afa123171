"""Computes what takes longer than a request may: once, in a thread in the background, and keeps it on disk."""

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

PATIENCE = 0.8  # seconds that a request waits before it says that something is being prepared
KEPT_FILES = 200
KEPT_IN_MEMORY = 24

Arrays = Mapping[str, NDArray[Any]]

log = logging.getLogger(__name__)


class Preparing:
    """Named arrays, kept in memory and in a folder, and shared by all threads of a server.

    Arrays are found again by a name and the inputs that they were computed from. A file that is damaged or gone is
    computed again, so the folder may be emptied at any time. This is no `app.recent.Recent`, where the first who asks
    computes the value and the others wait: here a separate thread computes it, nobody waits longer than `patience`, and
    values that memory drops stay in the folder.
    """

    def __init__(self, folder: Path, *, patience: float = PATIENCE) -> None:
        self._folder = folder
        self._patience = patience
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Future[Arrays]] = OrderedDict()

    def get(self, name: str, inputs: tuple[object, ...], make: Callable[[], Arrays]) -> Arrays | None:
        """The arrays, or None while `make` computes them. Raises what `make` raises; the next call tries again."""
        try:
            return self._start(name, inputs, make).result(self._patience)
        except TimeoutError:
            return None

    def wait(self, name: str, inputs: tuple[object, ...], make: Callable[[], Arrays]) -> Arrays:
        """The same, but waits until they are computed; only for code that runs in the background itself."""
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
        """Save the arrays; where this fails, as on a full disk, they are only computed again later."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        try:
            write_bytes(self._path(key), buffer.getvalue())
            files = sorted(self._folder.glob("*.npz"), key=lambda path: path.stat().st_mtime)
            for path in files[:-KEPT_FILES]:
                path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("could not keep %s: %s", key, error.strerror)
