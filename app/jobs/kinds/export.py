"""The job `export`: writes a checkpoint for PyTorch or as ONNX, and compares the file's answers with the original's."""

from app.jobs.context import JobContext, JobFailed
from models.checkpoints.exporting import CannotExport, export

PARTS = 3  # building, writing, comparing


def run(job: JobContext) -> None:
    """spec: checkpoint, format; inputs: its folder; output: the description of the file beside its card."""
    told = 0

    def tick(message: str) -> None:
        nonlocal told
        job.check()
        job.log(message)
        told += 1
        job.progress(min(told, PARTS - 1), PARTS, "parts")

    try:
        made = export(job.inputs["checkpoint"], job.spec["format"], tick=tick)
    except CannotExport as error:
        raise JobFailed(error.code, str(error)) from error
    job.progress(PARTS, PARTS, "parts")
    job.log(f"{made.file}: {made.bytes} bytes; largest difference from the original's answers {made.difference:.2g}")
    job.artefact("export", job.slug, job.output, format=made.format, sha256=made.sha256)
