"""The job `sanity`: checks whether a checkpoint's features make sense, and whether other preprocessing is better."""

from app.jobs.context import JobContext
from models.galleries.packs import Pack
from models.sanity import report as sanity_report
from models.sanity.checking import sanity


def run(job: JobContext) -> None:
    """spec: checkpoint, gallery, seconds, seed; inputs: both folders; output: a file beside the checkpoint's card."""
    spec = job.spec

    def tick(message: str, step: int, total: int) -> None:
        if message:
            job.log(message)
        job.progress(step, total, "preparations")

    with Pack.open(job.inputs["gallery"]) as pack:
        found = sanity(
            pack,
            job.inputs["checkpoint"],
            checkpoint=spec["checkpoint"],
            gallery=spec["gallery"],
            seconds=spec["seconds"],
            device=job.device,
            seed=spec["seed"],
            tick=tick,
        )
    job.log(f"{found.images} images. {found.sentence} {found.advice}")
    sanity_report.write(job.output, found)
    job.artefact("sanity", job.slug, job.output, images=found.images)
