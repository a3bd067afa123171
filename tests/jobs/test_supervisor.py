"""Real jobs under a real supervisor: started, cancelled, failed, killed, and brought back."""

import os
import signal
from pathlib import Path
from time import monotonic, sleep

from sqlalchemy import select

from app.jobs.folders import job_folder
from app.jobs.spec import Output
from app.store.tables import GalleryRow
from tests.jobs.conftest import PATIENCE, Queue, is_alive


def test_a_job_runs_to_its_end_and_its_artefact_is_registered(supervised: Queue) -> None:
    number = supervised.add("count", output=Output("gallery", "birds", "galleries/birds"), make=True)
    job = supervised.wait(number, "done", "failed")
    assert (job.state, job.attempt, job.error) == ("done", 1, None)
    assert job.progress["step"] == job.progress["total"] == 5
    assert job.progress["metrics"] == {"loss": 0.2}
    with supervised.store.read() as session:
        gallery = session.scalars(select(GalleryRow)).one()
    assert (gallery.slug, gallery.rows, gallery.folder) == ("birds", 2, "galleries/birds")
    assert [event.text("state") for event in supervised.events(number, "state")] == ["running", "done"]


def test_a_job_that_ends_well_but_leaves_nothing_has_failed(supervised: Queue) -> None:
    number = supervised.add("empty", output=Output("gallery", "fish", "galleries/fish"))
    job = supervised.wait(number, "done", "failed")
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code == "no_artefact"


def test_a_failure_is_told_in_words_and_blocks_all_that_wait_for_it(supervised: Queue) -> None:
    first = supervised.add("fail")
    second = supervised.add("empty", needs=(first,))
    third = supervised.add("empty", needs=(second,))
    other = supervised.add("stumble", lane="device")
    job = supervised.wait(first, "failed")
    assert job.error is not None
    assert (job.error.code, job.error.message) == ("broken", "The cable is not plugged in.")
    assert supervised.wait(second, "blocked").error is not None
    assert supervised.wait(third, "blocked").attempt == 0
    stumbled = supervised.wait(other, "failed")
    assert stumbled.error is not None
    assert stumbled.error.message == "ValueError: the file cat.jpg is odd"


def test_a_killed_job_goes_on_from_its_own_state(supervised: Queue) -> None:
    number = supervised.add("count", steps=60, pause=0.02)
    supervised.step(number, 10)
    pid = supervised.until(number, lambda job: job.pid is not None).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    job = supervised.wait(number, "done")
    assert job.attempt == 2
    begins = [event.text("message") for event in supervised.events(number, "log")]
    assert begins[0] == "from 0"
    assert int(str(begins[1]).removeprefix("from ")) >= 10


def test_a_job_that_dies_three_times_is_given_up(supervised: Queue) -> None:
    number = supervised.add("die")
    job = supervised.wait(number, "failed")
    assert job.attempt == 3
    assert job.error is not None
    assert job.error.code == "worker_lost"
    assert [event.number("step") for event in supervised.events(number, "progress")] == [1, 2, 3]


def test_a_job_that_listens_is_cancelled_at_once_and_one_that_does_not_after_the_grace(supervised: Queue) -> None:
    polite = supervised.add("count", steps=10_000)
    deaf = supervised.add("stubborn", lane="device")
    supervised.step(polite, 1)
    supervised.until(deaf, lambda _: bool(supervised.events(deaf, "log")))
    assert supervised.cancel(polite)
    assert supervised.cancel(deaf)
    assert supervised.job(polite).state in ("cancelling", "cancelled")
    supervised.wait(polite, "cancelled")
    pid = supervised.job(deaf).pid
    supervised.wait(deaf, "cancelled")
    said = [event.text("message") for event in supervised.events(deaf, "log")]
    assert said == ["deaf", "heard"]  # it was asked first, and killed for going on
    assert pid is not None
    assert not is_alive(pid)


def test_when_the_supervisor_is_killed_its_jobs_leave_and_the_next_one_brings_them_back(queue: Queue) -> None:
    number = queue.add("count", steps=80, pause=0.02)
    first = queue.supervise()
    queue.step(number, 10)
    pid = queue.until(number, lambda job: job.pid is not None).pid
    assert pid is not None
    first.kill()
    deadline = monotonic() + PATIENCE
    while is_alive(pid):
        assert monotonic() < deadline
        sleep(0.02)
    assert queue.job(number).state == "running"  # no one is left to say otherwise
    queue.supervise()
    job = queue.wait(number, "done")
    assert (job.attempt, job.max_attempts) == (2, 4)  # the supervisor's death is not the job's fault


def test_a_supervisor_that_is_asked_to_leave_puts_its_jobs_back_without_counting(queue: Queue) -> None:
    number = queue.add("count", steps=10_000)
    first = queue.supervise()
    queue.step(number, 3)
    first.terminate()
    assert first.wait(PATIENCE) == 0
    job = queue.job(number)
    assert (job.state, job.max_attempts - job.attempt) == ("queued", 3)


def test_a_supervisor_leaves_when_its_parent_does(queue: Queue) -> None:
    number = queue.add("count", steps=10_000)
    process = queue.supervise()
    queue.step(number, 3)
    queue.lifelines[process.pid].close()
    assert process.wait(PATIENCE) == 0
    assert queue.job(number).state == "queued"


def test_of_several_supervisors_one_works_and_each_job_starts_once(queue: Queue) -> None:
    numbers = [queue.add("empty", lane="light" if number % 2 else "device") for number in range(8)]
    processes = [queue.supervise() for _ in range(3)]
    for number in numbers:
        assert queue.wait(number, "done").attempt == 1
    assert [len(queue.events(number, "started")) for number in numbers] == [1] * 8
    worker = int((queue.store.workspace / "supervisor.lock").read_text())
    next(process for process in processes if process.pid == worker).kill()
    assert queue.wait(queue.add("empty"), "done").attempt == 1  # one that stood by took over


def test_a_cancel_while_no_supervisor_runs_is_carried_out_by_the_next(queue: Queue) -> None:
    number = queue.add("count", steps=10_000)
    first = queue.supervise()
    queue.step(number, 1)
    first.kill()
    first.wait()
    assert queue.cancel(number)
    assert queue.job(number).state == "cancelling"
    queue.supervise()
    assert queue.wait(number, "cancelled").attempt == 1


def test_a_torn_line_is_ended_by_the_next_attempt_and_belongs_to_no_event(supervised: Queue) -> None:
    number = supervised.add("tear")
    job = supervised.wait(number, "done")
    assert (job.attempt, job.progress["step"]) == (2, 3)
    lines = (job_folder(supervised.store.workspace, number) / "events.jsonl").read_bytes().split(b"\n")
    assert b'{"type":"progress","time":1,"step":99,"tot' in lines
    assert [event.number("step") for event in supervised.events(number, "progress")] == [3]


def test_what_a_job_prints_is_in_its_log_and_a_trace_is_not(supervised: Queue) -> None:
    number = supervised.add("stumble")
    supervised.wait(number, "failed")
    folder: Path = job_folder(supervised.store.workspace, number)
    assert "Traceback" not in (folder / "log.txt").read_text()
    assert "stumble" in (folder / "traceback.txt").read_text()
