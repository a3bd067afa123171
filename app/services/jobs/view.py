"""A job as people look at it: how far, how fast, how long still, and what it made."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.jobs.records import JobRecord
from app.jobs.states import ACTIVE, ENDED, RESUMABLE, WAITING
from app.services.checkpoints.curves import NAMES
from models.counting.labs import lab
from models.counting.training_views import MEASURES as VALIDATED

PLURALS = {
    "gallery": "galleries",
    "checkpoint": "checkpoints",
    "scan": "scans",
    "clustering": "clusters",
    "export": "checkpoints",
    "evaluation": "checkpoints",
    "readout": "checkpoints",
    "sanity": "checkpoints",
    "timeline": "checkpoints",
}


@dataclass(frozen=True)
class JobView:
    """`share` is 0..1, None where the job cannot tell; `made` is the path of what came of it."""

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
        """The metrics by the names that people read, without those of looks at held-out images."""
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
    """`/scans/photos`: where what the job made is found; a gallery is there from the start."""
    if job.output is not None and job.output.kind == "probe":
        _, gallery, protocol, _ = job.output.path.split("/")
        return f"/results?gallery={gallery}&protocol={protocol}" if job.state == "done" else None
    if job.output is None or job.output.kind not in PLURALS:
        return None
    if job.state != "done" and job.output.kind != "gallery":
        return None
    return f"/{PLURALS[job.output.kind]}/{job.output.slug}"


def view(job: JobRecord) -> JobView:
    """The job with its progress spelled out; speed and time left only while it runs."""
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
    """How long the present attempt has been running, or the last one ran."""
    if job.started_at is None:
        return None
    return max(0.0, ((job.finished_at or datetime.now(UTC)) - job.started_at).total_seconds())


def _title(job: JobRecord) -> str:
    spec = job.spec
    match job.kind:
        case "scan":
            return f"Scan of {spec.get('gallery')} with {spec.get('checkpoint')}"
        case "train":
            title = f"Training of {spec.get('task', 'a network')} on {spec.get('gallery')}"
            recipe = spec.get("recipe")
            return f"{title}, recipe {recipe}" if isinstance(recipe, str) and lab(recipe) is not None else title
        case "cluster":
            return _cluster_title(spec)
        case "export":
            return f"Export of {spec.get('checkpoint')} as {spec.get('format')}"
        case "evaluate":
            return f"Evaluation of {spec.get('checkpoint')} on {spec.get('gallery')}"
        case "probe":
            return f"Probe of {spec.get('checkpoint')} on {spec.get('gallery')}"
        case "readout":
            return f"Readout of {spec.get('checkpoint')} on {spec.get('gallery')}"
        case "timeline":
            return f"Growth of {spec.get('checkpoint')} on {spec.get('gallery')}"
        case "sanity":
            return f"Sanity of {spec.get('checkpoint')} on {spec.get('gallery')}"
        case "import":
            return f"Import of {spec.get('name') or spec.get('gallery')}"
        case _:
            return f"{job.kind} {job.id}"


def _cluster_title(spec: Mapping[str, Any]) -> str:
    """What is grouped, into how many and by which centres."""
    what = f"{spec.get('layer')} of {spec.get('scan')}"
    if spec.get("centres"):
        return f"Pseudo-labels for {what} from {spec['centres']}"
    kind = "random groups" if spec.get("method") == "random" else "clusters"
    return f"{spec.get('k')} {kind} of {what}"
