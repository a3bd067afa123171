"""The event store: offsets, torn lines, the pace of progress, curves."""

import json
from pathlib import Path

import numpy as np
import pytest

from app.jobs.context import JobContext, JobFailed, Stopped
from app.jobs.curves import Curves
from app.jobs.events import EVENTS, EventWriter, iterate_events, read_events
from app.jobs.spec import JobSpec
from app.jobs.tail import Tail


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def context(folder: Path, clock: Clock | None = None, attempt: int = 1) -> JobContext:
    spec = JobSpec(id="1", kind="count", workspace=str(folder), attempt=attempt)
    return JobContext(folder, spec, EventWriter(folder / EVENTS), clock=clock or Clock())


def test_an_offset_is_the_place_to_go_on_from(tmp_path: Path) -> None:
    path = tmp_path / EVENTS
    with EventWriter(path) as events:
        for number in range(5):
            events.write("log", {"message": f"é{number}"})
    all_events = list(iterate_events(path))
    for position, event in enumerate(all_events):
        rest = read_events(path, event.after).events
        assert [one.text("message") for one in rest] == [f"é{number}" for number in range(position + 1, 5)]
    assert all_events[-1].after == path.stat().st_size


@pytest.mark.parametrize("offset", [1, 7, 10**9])
def test_an_offset_that_was_never_given_out_neither_fails_nor_tears_a_line(tmp_path: Path, offset: int) -> None:
    path = tmp_path / EVENTS
    with EventWriter(path) as events:
        events.write("log", {"message": "one"})
        events.write("log", {"message": "two"})
    assert [event.text("message") for event in read_events(path, offset).events] in (["two"], [])


def test_a_line_still_being_written_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / EVENTS
    with EventWriter(path) as events:
        events.write("log", {"message": "whole"})
    whole = path.stat().st_size
    with path.open("ab") as stream:
        stream.write(b'{"type":"log","message":"ha')
    part = read_events(path)
    assert (len(part.events), part.next) == (1, whole)
    with path.open("ab") as stream:
        stream.write(b'lf"}\n')
    assert [event.text("message") for event in read_events(path, part.next).events] == ["half"]


def test_each_event_is_read_once_however_often_the_file_is_looked_at(tmp_path: Path) -> None:
    with EventWriter(tmp_path / EVENTS) as events:
        tail, seen = Tail(tmp_path), []
        for step in range(20):
            events.write("progress", {"step": step, "total": 20, "metrics": {"loss": 1.0}})
            tail.read()
            tail.read()
            seen.append(tail.progress["step"])
    assert seen == list(range(20))


def test_a_new_attempt_forgets_the_error_of_the_last(tmp_path: Path) -> None:
    job = context(tmp_path)
    job.started()
    job.failed("broken", "It broke.")
    context(tmp_path, attempt=2).started()
    tail = Tail(tmp_path)
    tail.read()
    assert tail.error is None


def test_progress_is_told_at_most_twice_a_second_and_the_last_step_always(tmp_path: Path) -> None:
    clock = Clock()
    job = context(tmp_path, clock)
    for step in range(1, 101):
        clock.now += 0.04
        job.progress(step, 100, "steps")
    steps = [int(event.number("step") or 0) for event in iterate_events(tmp_path / EVENTS)]
    assert steps == [1, 14, 27, 40, 53, 66, 79, 92, 100]


def test_a_metric_that_came_too_early_is_kept_with_its_own_step(tmp_path: Path) -> None:
    clock = Clock()
    job = context(tmp_path, clock)
    job.progress(1, 100, "steps", {"loss": 9.0})
    clock.now += 0.1
    job.progress(2, 100, "steps", {"loss": 8.0, "held_out_loss": np.float32(0.5)})
    clock.now += 1
    job.progress(3, 100, "steps", {"loss": 7.0})
    assert Curves(tmp_path).read() == {"loss": [(1, 9.0), (3, 7.0)], "held_out_loss": [(2, 0.5)]}


def test_the_time_left_follows_from_the_pace_of_this_attempt(tmp_path: Path) -> None:
    clock = Clock()
    job = context(tmp_path, clock)
    job.progress(50, 100, "steps")  # resumed there
    clock.now += 10
    job.progress(60, 100, "steps", rate=640.0)
    last = list(iterate_events(tmp_path / EVENTS))[-1]
    assert (last.number("eta_seconds"), last.number("rate")) == (40.0, 640.0)


def test_curves_keep_the_last_value_of_a_step_that_was_done_twice(tmp_path: Path) -> None:
    curves = Curves(tmp_path)
    for attempt, value in ((1, 3.0), (2, 2.0)):
        clock = Clock()
        job = context(tmp_path, clock, attempt)
        job.progress(10, 20, "steps", {"loss": value})
        assert curves.read() == {"loss": [(10, value)]}


def test_a_number_that_json_lacks_is_null(tmp_path: Path) -> None:
    context(tmp_path).progress(1, 2, "steps", {"loss": float("nan"), "good": 1.0})
    line = (tmp_path / EVENTS).read_text()
    assert json.loads(line)["metrics"] == {"loss": None, "good": 1.0}
    assert Curves(tmp_path).read() == {"good": [(1, 1.0)]}


def test_a_job_that_was_asked_to_stop_hears_it_at_its_next_word(tmp_path: Path) -> None:
    job = context(tmp_path)
    job.check()
    job.stop()
    with pytest.raises(Stopped):
        job.progress(1, 2, "steps")


def test_a_job_without_an_output_says_so(tmp_path: Path) -> None:
    with pytest.raises(JobFailed):
        _ = context(tmp_path).output
