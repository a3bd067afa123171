"""A job as pages show it: its title, progress, speed, time left, and what it made."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.jobs.catalogue import KINDS, artefact
from app.jobs.records import JobRecord
from app.jobs.states import ACTIVE, ENDED, RESUMABLE, WAITING
from app.services.checkpoints.curves import NAMES
from models.counting.training_views import MEASURES as VALIDATED


@dataclass(frozen=True)
class JobView:
    """A job with its progress.

    `share` is the finished part, 0 to 1, None where it is not known. `step` of `total` are counted in `unit`; `rate` is
    in units a second. `rate` and `eta_seconds`, the time left, are None unless the job runs. `seconds` is how long the
    latest attempt took so far, None before the first. `made` is the address of the artefact's page.
    """

    job: JobRecord
    title: str
    share: float | None
    step: int | None
    total: int | None
    unit: str | None
    rate: float | None
    eta_seconds: float | None
    metrics: Mapping[str, float]
    seconds: float | None
    made: str | None

    @property
    def figures(self) -> dict[str, float]:
        """The metrics by the names that people read, without those measured on held-out images."""
        told = (name for name in self.metrics if name not in VALIDATED and not name.startswith("held_out_"))
        named = {NAMES.get(name, name.replace("_", " ")): self.metrics[name] for name in told}
        return {name[:1].upper() + name[1:]: value for name, value in named.items()}

    @property
    def ended(self) -> bool:
        return self.job.state in ENDED

    @property
    def runs(self) -> bool:
        return self.job.state in ACTIVE

    @property
    def can_cancel(self) -> bool:
        return self.job.state in (*WAITING, "running")

    @property
    def can_resume(self) -> bool:
        return self.job.state in RESUMABLE


def artefact_path(job: JobRecord) -> str | None:
    """The address of what the job made, such as `/scans/photos`; None before it is there.

    A gallery has its page from the start.
    """
    made = None if job.output is None else artefact(job.output.kind)
    if job.output is None or made is None or (job.state != "done" and not made.early):
        return None
    return made.page(job.output)


def _title(job: JobRecord) -> str:
    """A few words that say what the job does."""
    kind = KINDS.get(job.kind)
    return f"{job.kind} {job.id}" if kind is None else kind.title(job.spec)


def view(job: JobRecord) -> JobView:
    """The job with the progress that it last reported; speed and time left only while it runs."""
    latest, runs = job.progress, job.state in ACTIVE
    step, total = _whole(latest.get("step")), _whole(latest.get("total"))
    return JobView(
        job=job,
        title=_title(job),
        share=_share(job, step, total),
        step=step,
        total=total,
        unit=latest.get("unit"),
        rate=latest.get("rate") if runs else None,
        eta_seconds=latest.get("eta_seconds") if runs else None,
        metrics=dict(latest.get("metrics") or {}),
        seconds=_seconds(job),
        made=artefact_path(job),
    )


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _share(job: JobRecord, step: int | None, total: int | None) -> float | None:
    if job.state == "done":
        return 1.0
    return min(step / total, 1.0) if step is not None and total else None


def _seconds(job: JobRecord) -> float | None:
    """How many seconds the current attempt has been running, or the last attempt ran; None before the first."""
    if job.started_at is None:
        return None
    return max(0.0, ((job.finished_at or datetime.now(UTC)) - job.started_at).total_seconds())
