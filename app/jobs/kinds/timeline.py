"""The job `timeline`: runs a checkpoint's snapshots over a sample of a gallery, to show how its units developed."""

from app.jobs.context import JobContext, JobFailed
from models.evaluations.snapshots import NoSnapshots, grow
from models.galleries.packs import Pack
from models.scans import timelines


def run(job: JobContext) -> None:
    """spec: checkpoint, gallery, images; inputs: both folders; output: a file in the checkpoint's folder."""
    with Pack.open(job.inputs["gallery"]) as pack:
        try:
            found = grow(
                pack,
                job.inputs["checkpoint"],
                images=int(job.spec["images"]),
                device=job.device,
                tick=lambda done, total: job.progress(done, total, "snapshots"),
            )
        except NoSnapshots as error:
            raise JobFailed(error.code, f"{error}.") from error
    timelines.write(job.output, found)
    job.artefact("timeline", job.slug, job.output, steps=list(found.steps), images=found.images)
