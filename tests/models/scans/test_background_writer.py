"""Background work is done in order, finished at the end, and never fails in silence."""

import threading

import pytest

from models.scans.background_writer import BackgroundWriter


def test_things_are_done_one_after_the_other_and_all_by_the_end() -> None:
    done: list[int] = []
    with BackgroundWriter() as background:
        for number in range(5):
            background.run(lambda number=number: done.append(number))
            assert number - len(done) <= 1
    assert done == [0, 1, 2, 3, 4]


def test_a_failure_comes_out_of_the_next_call_or_of_the_end() -> None:
    with BackgroundWriter() as background:
        background.run(lambda: int("one"))  # type: ignore[arg-type, return-value]
        with pytest.raises(ValueError, match="one"):
            background.run(lambda: None)
    with pytest.raises(ValueError, match="two"), BackgroundWriter() as background:
        background.run(lambda: int("two"))  # type: ignore[arg-type, return-value]


def test_who_is_stopped_waits_for_what_was_begun() -> None:
    began, done = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        done.set()

    with pytest.raises(KeyboardInterrupt), BackgroundWriter() as background:
        background.run(work)
        raise KeyboardInterrupt
    assert began.is_set() and done.is_set()
