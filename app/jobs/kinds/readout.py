"""The job `readout`: fits a readout of named counts from a checkpoint's count vector, on a gallery that knows them."""

from app.jobs.context import JobContext, JobFailed
from models.counting import readouts
from models.evaluations.readout import read_out
from models.galleries.packs import Pack

PARTS = 3  # how many parts it reports, one after the other


def run(job: JobContext) -> None:
    """spec: checkpoint, gallery, scenes, seed; inputs: both folders; output: a file beside the checkpoint's card."""
    spec, told = job.spec, 0

    def tick(message: str) -> None:
        nonlocal told
        job.log(message)
        told += 1
        job.progress(min(told, PARTS) - 1, PARTS, "parts")

    with Pack.open(job.inputs["gallery"]) as pack:
        try:
            found = read_out(
                pack,
                job.inputs["checkpoint"],
                checkpoint=spec["checkpoint"],
                gallery=spec["gallery"],
                scenes=spec["scenes"],
                seed=spec["seed"],
                device=job.device,
                tick=tick,
            )
        except readouts.NothingNamed as error:
            raise JobFailed(error.code, f"{str(error)[0].upper()}{str(error)[1:]}.") from error
    readouts.write(job.output, found)
    mean = {name: cell["all"]["value"] for name, cell in found.r2.items() if cell["all"]["value"] is not None}
    job.progress(PARTS, PARTS, "parts", {f"r2_{name}": value for name, value in mean.items()})
    job.artefact("readout", job.slug, job.output, names=list(found.names), tested=found.tested)
