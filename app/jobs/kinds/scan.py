"""Scan a checkpoint over a gallery: top images and statistics of every unit, embeddings, counts and their equation."""

from app.jobs.context import JobContext
from models.packs import Pack
from models.scanning import Plan, scan


def run(job: JobContext) -> None:
    """spec: checkpoint, gallery, layers, residual, precision, top; inputs: both folders; output: a scan folder.

    The scan's own shards are its state: a new attempt, and a scan of a gallery that has grown, go on after them.
    """
    spec = job.spec
    plan = Plan(
        checkpoint=spec["checkpoint"],
        gallery=spec["gallery"],
        layers=tuple(spec["layers"]) if spec["layers"] is not None else None,
        residual=spec["residual"],
        precision=spec["precision"],
        top=spec["top"],
    )
    with Pack.open(job.inputs["gallery"]) as pack:
        rows = len(pack)
        info = scan(
            pack,
            job.inputs["checkpoint"],
            job.output,
            plan,
            device=job.device,
            tick=lambda done: job.progress(done, rows, "images"),
        )
    layers = ", ".join(f"{layer.name} ({layer.units})" for layer in info.layers)
    job.log(f"{info.rows} images in {info.precision}; layers: {layers}")
    job.artefact("scan", job.slug, job.output, rows=info.rows, layers=list(info.names))
