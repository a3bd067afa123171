"""The cache that all of the application shares: bounded, by last use, each value made once."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from app.recent import Recent

WAIT = 10.0


class Thing:
    """Something that can be watched as it goes."""


def never() -> str:
    raise AssertionError("this value was known")


def test_a_value_is_made_once_and_then_kept() -> None:
    kept = Recent[str, str](2)
    assert kept.get("a", lambda: "made") == "made"
    assert kept.get("a", never) == "made"


def test_nothing_at_all_is_a_value_too() -> None:
    kept = Recent[str, str | None](2)
    assert kept.get("a", lambda: None) is None
    assert kept.get("a", never) is None


def test_there_are_never_more_than_the_limit() -> None:
    kept = Recent[int, int](3)
    for number in range(10):
        kept.get(number, lambda: 0)
    assert [number for number in range(10) if number in kept] == [7, 8, 9]


def test_the_least_recently_used_one_leaves() -> None:
    kept = Recent[str, str](2)
    kept.get("a", lambda: "A")
    kept.get("b", lambda: "B")
    kept.get("a", never)
    kept.get("c", lambda: "C")
    assert "a" in kept and "b" not in kept and "c" in kept


def test_asking_whether_a_value_is_there_is_no_use_of_it() -> None:
    kept = Recent[str, str](1)
    assert "a" not in kept
    kept.get("a", lambda: "A")
    assert "a" in kept
    kept.get("b", lambda: "B")
    assert "a" not in kept


def test_an_error_is_not_kept_and_costs_no_other_value_its_place() -> None:
    kept = Recent[str, float](1)
    kept.get("a", lambda: 1.0)
    with pytest.raises(ZeroDivisionError):
        kept.get("b", lambda: 1 / 0)
    assert "a" in kept and "b" not in kept
    assert kept.get("b", lambda: 2.0) == 2.0


def test_an_error_lets_go_of_what_it_was_made_with() -> None:
    kept, held = Recent[str, Thing](1), []

    def fail() -> Thing:
        thing = Thing()
        held.append(weakref.ref(thing))
        raise MemoryError

    gc.disable()  # a cycle of references is what must not be there
    try:
        with suppress(MemoryError):
            kept.get("a", fail)
        assert held[0]() is None
    finally:
        gc.enable()


def test_what_was_cleared_is_made_again() -> None:
    kept = Recent[str, str](2)
    kept.get("a", lambda: "old")
    kept.clear()
    assert kept.get("a", lambda: "new") == "new"


def test_threads_that_ask_at_once_get_one_value_made_once() -> None:
    kept, made, begun, release = Recent[str, Thing](2), [], threading.Event(), threading.Event()

    def make() -> Thing:
        begun.set()
        assert release.wait(WAIT)
        made.append(Thing())
        return made[-1]

    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(kept.get, "a", make)
        assert begun.wait(WAIT)
        others = [threads.submit(kept.get, "a", make) for _ in range(3)]
        assert kept.get("b", Thing) is not None  # another key does not wait
        release.set()
        found = {id(asked.result(WAIT)) for asked in (first, *others)}
    assert len(made) == 1 and found == {id(made[0])}


def test_an_error_reaches_those_who_waited_for_the_value() -> None:
    asked, begun = threading.Semaphore(0), threading.Event()

    class Key:
        def __hash__(self) -> int:
            asked.release()
            return 1

    def fail() -> str:
        while asked.acquire(blocking=False):  # what the first one itself asked
            pass
        begun.set()
        assert asked.acquire(timeout=WAIT)
        raise OSError("gone")

    kept, key = Recent[Key, str](2), Key()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(kept.get, key, fail)
        assert begun.wait(WAIT)
        other = threads.submit(kept.get, key, never)
        for one in (first, other):
            with pytest.raises(OSError, match="gone"):
                one.result(WAIT)
    assert key not in kept
