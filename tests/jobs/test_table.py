"""The queue in the table: claims, chains, slugs, and moves that happen once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.jobs import table
from app.jobs.identity import identity
from app.jobs.records import JobError
from app.jobs.spec import Output
from app.store.tables import CheckpointRow
from tests.jobs.conftest import Queue


def claim(queue: Queue, lane: str = "light") -> int | None:
    with queue.store.write() as session:
        job = table.claim(session, lane, "cpu")
    return None if job is None else job.id


def finish(queue: Queue, number: int, state: table.State) -> bool:
    error = JobError("broken", "It broke.") if state == "failed" else None
    with queue.store.write() as session:
        return table.finish(session, number, state, error)


def retry(queue: Queue, number: int) -> None:
    with queue.store.write() as session:
        assert table.retry(session, number) is not None


def states(queue: Queue, *numbers: int) -> list[str]:
    return [queue.job(number).state for number in numbers]


def test_jobs_are_claimed_in_order_within_their_lane(queue: Queue) -> None:
    first, other, second = queue.add("a"), queue.add("b", lane="device"), queue.add("c")
    assert [claim(queue), claim(queue), claim(queue)] == [first, second, None]
    assert claim(queue, "device") == other
    job = queue.job(first)
    assert (job.state, job.attempt, job.device) == ("running", 1, "cpu")


def test_many_claim_at_once_and_each_job_is_claimed_once(queue: Queue) -> None:
    numbers = [queue.add("a") for _ in range(40)]
    with ThreadPoolExecutor(8) as pool:
        claimed = [found for found in pool.map(lambda _: claim(queue), range(60)) if found is not None]
    assert sorted(claimed) == numbers


def test_a_job_waits_until_all_it_needs_are_done(queue: Queue) -> None:
    first, second = queue.add("a"), queue.add("b")
    third = queue.add("c", needs=(first, second))
    assert [claim(queue), claim(queue), claim(queue)] == [first, second, None]
    finish(queue, first, "done")
    assert claim(queue) is None
    finish(queue, second, "done")
    assert claim(queue) == third


def test_a_broken_link_blocks_the_chain_and_its_resume_frees_it(queue: Queue) -> None:
    first = queue.add("a")
    second = queue.add("b", needs=(first,))
    third = queue.add("c", needs=(second,))
    claim(queue)
    finish(queue, first, "failed")
    assert states(queue, second, third) == ["blocked", "blocked"]
    error = queue.job(second).error
    assert error is not None
    assert error.message == f"It waits for job {first} (a), which failed; resume that one first."
    late = queue.add("d", needs=(third,))
    assert states(queue, late) == ["blocked"]
    retry(queue, first)
    assert states(queue, first, second, third, late) == ["queued"] * 4
    assert queue.job(second).error is None


def test_a_job_with_two_broken_links_waits_for_both(queue: Queue) -> None:
    first, second = queue.add("a"), queue.add("b")
    third = queue.add("c", needs=(first, second))
    assert queue.cancel(first)
    assert queue.cancel(second)
    retry(queue, first)
    assert states(queue, third) == ["blocked"]
    retry(queue, second)
    assert states(queue, third) == ["queued"]


def test_a_final_state_is_written_once(queue: Queue) -> None:
    number = queue.add("a")
    assert not finish(queue, number, "done"), "a waiting job cannot be done"
    claim(queue)
    assert finish(queue, number, "done")
    assert not finish(queue, number, "failed")
    assert not queue.cancel(number)
    assert states(queue, number) == ["done"]


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_is_asked(queue: Queue) -> None:
    running, waiting = queue.add("a"), queue.add("b")
    claim(queue)
    assert queue.cancel(waiting)
    assert queue.cancel(running)
    assert states(queue, running, waiting) == ["cancelling", "cancelled"]
    assert queue.cancel(running), "asking twice is no error"
    with queue.store.write() as session:
        assert not table.requeue(session, running, counted=True), "a job that is being cancelled does not come back"


def test_a_resumed_job_has_its_attempts_again(queue: Queue) -> None:
    number = queue.add("a")
    claim(queue)
    finish(queue, number, "failed")
    retry(queue, number)
    job = queue.job(number)
    assert (job.state, job.attempt, job.max_attempts, job.error) == ("queued", 1, 4, None)


def test_a_taken_slug_gets_a_number(queue: Queue) -> None:
    wanted = Output("checkpoint", "net", "checkpoints/net")

    def free() -> Output:
        with queue.store.read() as session:
            return table.free_output(session, wanted)

    assert free() == wanted
    queue.add("train", output=wanted)
    assert free() == Output("checkpoint", "net-2", "checkpoints/net-2")
    with queue.store.write() as session:
        session.add(CheckpointRow(slug="net-2", name="n", folder="f", sha256="s", architecture="a"))
    assert free().slug == "net-3"


def test_identity_sees_values_and_not_their_order() -> None:
    one = identity("scan", {"a": 1, "b": [1, 2]}, {"gallery": "x"})
    assert one == identity("scan", {"b": [1, 2], "a": 1}, {"gallery": "x"})
    assert one != identity("scan", {"a": 1, "b": [2, 1]}, {"gallery": "x"})
    assert one != identity("scan", {"a": 1, "b": [1, 2]}, {"gallery": "y"})
    with pytest.raises(ValueError):
        identity("scan", {"a": float("nan")}, {})
