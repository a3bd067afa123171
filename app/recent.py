"""A cache of values in memory, bounded in number; all of `app` uses it."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """At most `limit` values by key, shared by all threads; the least recently used one is dropped.

    A missing value is made once: threads that ask for it meanwhile wait, and an error is raised in all of them. Errors
    are not kept, so the next call tries again. The function that makes a value must not ask for the same key.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = Lock()
        self._kept: OrderedDict[Key, Future[Value]] = OrderedDict()

    def __contains__(self, key: Key) -> bool:
        """Whether the value is kept or being made; this does not count as a use of it."""
        with self._lock:
            return key in self._kept

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value of that key, which `make` makes where it is missing. Raises what `make` raises."""
        with self._lock:
            known = self._kept.get(key)
            future = known or self._kept.setdefault(key, Future())
            self._kept.move_to_end(key)
        try:
            if known is None:
                self._make(key, make, future)
            return future.result()
        finally:
            del known, future  # an error refers to this frame; a reference back would keep its memory alive

    def clear(self) -> None:
        """Drop all values."""
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
        with self._lock:  # only after success, so that a failure drops no other value
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)
