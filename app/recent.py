"""Values kept in memory by what they were made from: the ones asked for last, at most so many of them."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """At most `limit` values, shared by all threads; the least recently used one leaves.

    A missing value is made once: threads that ask for it meanwhile wait for the first one, and an error reaches them
    all. An error is not kept, so whoever asks next tries again. Making a value must not ask for its own key.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = Lock()
        self._kept: OrderedDict[Key, Future[Value]] = OrderedDict()

    def __contains__(self, key: Key) -> bool:
        """Whether the value is here or being made; asking so is no use of it."""
        with self._lock:
            return key in self._kept

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value of that key, made where it is missing. Raises what `make` raises."""
        with self._lock:
            known = self._kept.get(key)
            future = known or self._kept.setdefault(key, Future())
            self._kept.move_to_end(key)
        try:
            if known is None:
                self._make(key, make, future)
            return future.result()
        finally:
            del known, future  # an error holds this frame; held by it in turn, it would never let go of its memory

    def clear(self) -> None:
        """Let go of all values."""
        with self._lock:
            self._kept.clear()

    def _make(self, key: Key, make: Callable[[], Value], future: Future[Value]) -> None:
        try:
            future.set_result(make())
        except BaseException as error:
            future.set_exception(error)
            with self._lock:
                if self._kept.get(key) is future:
                    del self._kept[key]
            del future
            return
        with self._lock:  # only now, so that what could not be made costs no other value its place
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)
