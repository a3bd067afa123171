"""Submitting, cancelling and resuming, and the stream of a job's events."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.failures import BadQuery, Busy, Conflict, NotFound
from app.jobs import table
from app.jobs.catalogue import KINDS
from app.jobs.events import EVENTS, EventWriter
from app.jobs.records import JobError, JobRecord, NewJob
from app.jobs.spec import Output
from app.jobs.states import State
from app.services.jobs.events import stream
from app.services.jobs.service import MAX_QUEUED, JobsService
from app.services.jobs.submissions.prepared import PreparedJob
from app.settings import Settings
from app.store.engine import Store
from app.store.tables import NoteRow
from tests.conftest import completed


def prepare(_store: Store, _settings: Settings, spec: dict[str, Any]) -> PreparedJob:
    """A kind of job that takes anything."""
    filled = {"steps": 5, **spec}
    if filled["steps"] == 13:
        raise BadQuery("bad_steps", "Thirteen is not a number of steps.")
    return PreparedJob(
        spec=filled,
        slug="net",
        path="checkpoints/net",
        fingerprints={"gallery": "abc"},
        on_submit=lambda session, job_id, output: session.add(NoteRow(subject=output.slug, text=str(job_id))),
    )


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[JobsService]:
    settings = Settings(workspace=tmp_path)
    store = Store.open(tmp_path)
    yield JobsService(store, settings, {"train": replace(KINDS["train"], submission=__name__)})
    store.close()


def end(jobs: JobsService, job: JobRecord, state: State) -> None:
    """What a supervisor would do."""
    with jobs._store.write() as session:
        claimed = table.claim(session, "device", "cpu")
        assert claimed is not None
        assert claimed.id == job.id
        assert table.finish(session, job.id, state, JobError("broken", "It broke.") if state == "failed" else None)


def test_the_same_spec_twice_is_the_same_job(jobs: JobsService) -> None:
    first, new = jobs.submit("train", {})
    assert new
    second, new = jobs.submit("train", {"steps": 5})
    assert (second.id, new) == (first.id, False), "defaults are filled in before specs are compared"
    end(jobs, first, "done")
    assert jobs.submit("train", {}) == (jobs.get(first.id), False)
    assert jobs.submit("train", {"steps": 6})[0].id != first.id


def test_what_failed_or_was_cancelled_is_tried_again_in_its_place(jobs: JobsService) -> None:
    first, _ = jobs.submit("train", {})
    end(jobs, first, "failed")
    second, new = jobs.submit("train", {})
    assert (second.id, second.state, second.error, new) == (first.id, "queued", None, True)
    jobs.cancel(first.id)
    assert jobs.submit("train", {})[0].state == "queued"


def test_again_makes_a_new_job_with_a_new_slug(jobs: JobsService) -> None:
    first, _ = jobs.submit("train", {})
    second, new = jobs.submit("train", {}, again=True)
    assert new
    assert first.output == Output("checkpoint", "net", "checkpoints/net")
    assert second.output == Output("checkpoint", "net-2", "checkpoints/net-2")
    with jobs._store.read() as session:
        notes = {note.subject: note.text for note in session.scalars(select(NoteRow))}
    assert notes == {"net": str(first.id), "net-2": str(second.id)}


def test_a_bad_spec_is_told_before_anything_is_queued(jobs: JobsService) -> None:
    for kind, spec, code in (
        ("paint", {}, "unknown_kind"),
        ("train", {"steps": 13}, "bad_steps"),
        ("train", {"x": float("inf")}, "not_finite"),
    ):
        with pytest.raises(BadQuery) as raised:
            jobs.submit(kind, spec)
        assert raised.value.code == code
    assert jobs.counts() == {}


def test_a_full_queue_takes_no_more(jobs: JobsService) -> None:
    first, _ = jobs.submit("train", {})
    with jobs._store.write() as session:
        for number in range(MAX_QUEUED - 1):
            new = NewJob(kind="train", spec={}, inputs={}, identity=str(number), lane="device")
            table.enqueue(session, new)
    with pytest.raises(Busy) as raised:
        jobs.submit("train", {"steps": 1})
    assert raised.value.code == "queue_full"
    assert jobs.counts() == {"queued": MAX_QUEUED}
    assert jobs.submit("train", {}) == (first, False), "what is there already needs no room"


def test_what_has_ended_is_not_cancelled_and_only_what_failed_is_resumed(jobs: JobsService) -> None:
    job, _ = jobs.submit("train", {})
    with pytest.raises(Conflict):
        jobs.resume(job.id)
    end(jobs, job, "done")
    with pytest.raises(Conflict) as raised:
        jobs.cancel(job.id)
    assert raised.value.detail == {"state": "done"}
    with pytest.raises(Conflict):
        jobs.resume(job.id)


@pytest.mark.parametrize("name", ["0", "-1", "7", "x", "1.0", "²", "9" * 19, "9" * 30, "", " 1"])
def test_an_id_that_no_job_has_is_not_found(jobs: JobsService, name: str) -> None:
    with pytest.raises(NotFound):
        jobs.get(name)


def test_the_list_is_paged_newest_first(jobs: JobsService) -> None:
    ids = [jobs.submit("train", {"steps": steps})[0].id for steps in (1, 2, 3, 4, 5)]
    found = jobs.list(limit=2)
    assert [job.id for job in found.jobs] == [ids[4], ids[3]]
    found = jobs.list(limit=2, cursor=found.next)
    assert [job.id for job in found.jobs] == [ids[2], ids[1]]
    found = jobs.list(limit=2, cursor=found.next)
    assert ([job.id for job in found.jobs], found.next) == ([ids[0]], None)
    jobs.cancel(ids[1])
    assert [job.id for job in jobs.list(states=["cancelled"]).jobs] == [ids[1]]
    with pytest.raises(BadQuery):
        jobs.list(states=["sleeping"])
    with pytest.raises(BadQuery):
        jobs.list(cursor="-3")


def test_curves_are_thinned_but_keep_their_ends(jobs: JobsService) -> None:
    job, _ = jobs.submit("train", {})
    with EventWriter(jobs.folder(job) / EVENTS) as events:
        for step in range(1, 1001):
            events.write("progress", {"step": step, "metrics": {"loss": 1.0 / step, "lr": 0.1}})
    series = jobs.series(job.id, points=100)
    assert set(series) == {"loss", "lr"}
    assert 50 <= len(series["loss"]) <= 102
    assert (series["loss"][0], series["loss"][-1]) == ((1, 1.0), (1000, 0.001))
    assert set(jobs.series(job.id, ["lr"])) == {"lr"}


def test_the_log_is_its_end_and_names_no_place_of_this_machine(jobs: JobsService) -> None:
    job, _ = jobs.submit("train", {})
    assert jobs.log_tail(job.id) == ""
    folder = jobs.folder(job)
    lines = ["x" * 100] * 20 + [f"wrote {folder / 'state' / 'a.pt'}", "read /srv/photos/one.jpg", "see https://a.b/c/d"]
    (folder / "log.txt").write_text("\n".join(lines) + "\n")
    tail = jobs.log_tail(job.id, 300)
    assert tail.splitlines()[-3:] == [f"wrote jobs/{job.id}/state/a.pt", "read one.jpg", "see https://a.b/c/d"]
    assert set(tail.splitlines()[:-3]) <= {"x" * 100}, "no line is cut in two"


def listen(jobs: JobsService, job: JobRecord, offset: int = 0, *, leave_after: int = 10**6) -> list[str]:
    """The messages of a stream; the server leaves after so many of them."""

    async def collect() -> list[str]:
        messages: list[str] = []
        async for message in stream(jobs, job, offset, lambda: len(messages) >= leave_after):
            messages.append(message)
        return messages

    return completed(asyncio.wait_for(collect(), 10))


def test_the_stream_of_an_ended_job_is_all_its_events_and_then_ends(jobs: JobsService) -> None:
    job, _ = jobs.submit("train", {})
    with EventWriter(jobs.folder(job) / EVENTS) as events:
        for step in range(3):
            events.write("progress", {"step": step})
        events.write("error", {"code": "broken", "message": "It broke."})
        events.write("state", {"state": "failed"})
    end(jobs, job, "failed")
    messages = listen(jobs, jobs.get(job.id))
    assert messages[0] == "retry: 2000\n\n"
    names = [message.split("event: ")[1].split("\n")[0] for message in messages[1:]]
    assert names == ["state", "progress", "progress", "progress", "failure", "state", "end"]
    assert json.loads(messages[-1].split("data: ")[1]) == {"type": "state", "state": "failed"}


def test_a_stream_goes_on_after_the_last_event_the_client_has(jobs: JobsService) -> None:
    job, _ = jobs.submit("train", {})
    with EventWriter(jobs.folder(job) / EVENTS) as events:
        for step in range(4):
            events.write("progress", {"step": step})
        events.write("state", {"state": "done"})
    end(jobs, job, "done")
    everything = listen(jobs, jobs.get(job.id))[1:-1]
    third = int(everything[2].split("\n")[0].removeprefix("id: "))
    assert listen(jobs, jobs.get(job.id), third)[1:-1] == everything[3:]


def test_a_stream_ends_when_the_server_leaves(jobs: JobsService) -> None:
    job, _ = jobs.submit("train", {})
    assert listen(jobs, job, leave_after=2)[0] == "retry: 2000\n\n"


def test_a_stream_tells_what_is_written_while_it_is_listened_to_and_no_half_line(jobs: JobsService) -> None:
    job, _ = jobs.submit("train", {})
    path = jobs.folder(job) / EVENTS

    async def follow() -> list[str]:
        messages: list[str] = []
        async for message in stream(jobs, job, path.stat().st_size, lambda: False):
            messages.append(message)
            if len(messages) == 1:
                with path.open("a") as out:
                    out.write('{"type":"log","time":1,"message":"ha')
                asyncio.get_running_loop().call_later(0.5, finish)
        return messages

    def finish() -> None:
        with path.open("a") as out:
            out.write('lf"}\n{"type":"state","time":2,"state":"done"}\n')
        end(jobs, job, "done")

    messages = completed(asyncio.wait_for(follow(), 10))
    assert [message.split("event: ")[-1].split("\n")[0] for message in messages[1:]] == ["log", "state", "end"]
    assert '"message":"half"' in messages[1]
