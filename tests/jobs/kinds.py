"""Kinds of job that only the tests have; run by `python -m tests.jobs.run`, which knows no others."""

import json
import os
import signal
from time import sleep

from app.jobs.context import JobContext, JobFailed
from models.atomic import write_json


def count(job: JobContext) -> None:
    """Count to `steps`, keeping the number it is at: what a well-behaved long job does."""
    position = job.state / "position.json"
    begin = json.loads(position.read_text()) if position.exists() else 0
    steps = int(job.spec.get("steps", 5))
    job.log(f"from {begin}")
    for step in range(begin + 1, steps + 1):
        sleep(float(job.spec.get("pause", 0.01)))
        write_json(position, step)
        job.progress(step, steps, "steps", {"loss": 1 / step})
    if job.spec.get("make"):
        make(job)


def make(job: JobContext) -> None:
    """Leave a gallery behind, of two rows."""
    write_json(job.output / "pack.json", {"shards": [{"file": "shard-00000.arrow", "rows": 2, "sha256": "ab"}]})
    job.artefact("gallery", job.slug, job.output)


def stubborn(job: JobContext) -> None:
    """Hear that it shall end and go on: only SIGKILL ends it."""
    signal.signal(signal.SIGTERM, lambda *_: job.log("heard"))
    job.log("deaf")
    while True:
        sleep(0.05)


def fail(job: JobContext) -> None:
    """Fail in words."""
    if not (job.workspace / "repaired").exists():
        raise JobFailed("broken", "The cable is not plugged in.")


def stumble(_job: JobContext) -> None:
    """Fail without having meant to."""
    raise ValueError("the file /srv/secret/photos/cat.jpg is odd")


def die(job: JobContext) -> None:
    """Die like a process that the kernel ends."""
    job.progress(job.attempt, 10, "steps")
    os.kill(os.getpid(), signal.SIGKILL)


def tear(job: JobContext) -> None:
    """Die in the middle of a line, once."""
    if job.attempt == 1:
        with (job.folder / "events.jsonl").open("ab") as events:
            events.write(b'{"type":"progress","time":1,"step":99,"tot')
        os.kill(os.getpid(), signal.SIGKILL)
    job.progress(3, 3, "steps")


def empty(_job: JobContext) -> None:
    """End well, and leave nothing."""
