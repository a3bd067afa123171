"""What takes long is computed once, kept on disk, and never keeps a request waiting."""

import threading
from pathlib import Path

import numpy as np
import pytest

from app.services import preparing
from app.services.preparing import Arrays, Preparing


class Work:
    """Counts how often it was done; waits until it may end."""

    def __init__(self, *, held: bool = False) -> None:
        self.done, self.may_end = 0, threading.Event()
        if not held:
            self.may_end.set()

    def __call__(self) -> Arrays:
        assert self.may_end.wait(20)
        self.done += 1
        return {"numbers": np.arange(3)}


def test_the_same_inputs_are_computed_once_and_others_anew(tmp_path: Path) -> None:
    place, work = Preparing(tmp_path, patience=20), Work()
    for inputs in (("a",), ("a",), ("b",)):
        found = place.get("x", inputs, work)
        assert found is not None and found["numbers"].tolist() == [0, 1, 2]
    assert work.done == 2


def test_another_server_reads_what_was_kept_unless_the_file_is_damaged(tmp_path: Path) -> None:
    work = Work()
    Preparing(tmp_path).wait("x", ("a",), work)
    assert Preparing(tmp_path).wait("x", ("a",), work)["numbers"].tolist() == [0, 1, 2] and work.done == 1
    (file,) = tmp_path.glob("*.npz")
    file.write_bytes(file.read_bytes()[:40])
    assert Preparing(tmp_path).wait("x", ("a",), work)["numbers"].tolist() == [0, 1, 2] and work.done == 2


def test_a_request_does_not_wait_for_the_end(tmp_path: Path) -> None:
    place, work = Preparing(tmp_path, patience=0.01), Work(held=True)
    assert place.get("x", ("a",), work) is None
    work.may_end.set()
    assert place.wait("x", ("a",), work)["numbers"].tolist() == [0, 1, 2]
    assert work.done == 1


def test_an_error_reaches_who_asked_and_the_next_one_tries_again(tmp_path: Path) -> None:
    place = Preparing(tmp_path, patience=20)

    def fail() -> Arrays:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        place.get("x", ("a",), fail)
    assert place.get("x", ("a",), Work()) is not None


def test_the_oldest_files_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "KEPT_FILES", 2)
    place = Preparing(tmp_path)
    for name in "abcd":
        place.wait("x", (name,), Work())
    assert len(list(tmp_path.glob("*.npz"))) == 2
