"""The job `scan`: one pass of a checkpoint over a gallery: embeddings, top images, statistics, counts."""

from functools import partial
from time import monotonic, sleep

from app.jobs.context import JobContext, JobFailed
from models.card import read_card
from models.checkpoints.scan_networks import open_for_scan
from models.counting import predictors
from models.descriptors import DESCRIPTORS
from models.descriptors.scan import scan_descriptor
from models.galleries.packs import MANIFEST, Pack
from models.geometry import count_crop
from models.network import exact_fp32
from models.scans.plans import ScanPlan
from models.scans.scanning import scan

FIRST_IMAGES = 120.0  # seconds to wait for the first shard of a gallery that is being filled


def run(job: JobContext) -> None:
    """spec: checkpoint, gallery, layers, residual, precision, top; inputs: both folders; output: a scan folder.

    A new attempt, and a scan of a gallery that has grown, continue after the shards that are scanned already.
    """
    exact_fp32()
    spec = job.spec
    if spec.get("start"):
        _wait_for_images(job)
    if read_card(job.inputs["checkpoint"]).architecture in DESCRIPTORS:
        return _describe(job)
    plan = ScanPlan(
        checkpoint=spec["checkpoint"],
        gallery=spec["gallery"],
        layers=tuple(spec["layers"]) if spec["layers"] is not None else None,
        residual=spec["residual"],
        precision=spec["precision"],
        top=spec["top"],
        regions=not spec.get("start"),
    ).extending(job.output)
    with Pack.open(job.inputs["gallery"]) as pack:
        rows = len(pack)
        info = scan(
            pack,
            open_for_scan(job.inputs["checkpoint"], plan, device=job.device),
            job.output,
            plan,
            tick=lambda done: job.progress(done, rows, "images"),
        )
        if info.counts is not None and any(pack.scenes()):
            crop = partial(count_crop, crop=info.counts.crop, region=info.counts.region)
            predictors.save(job.output, predictors.measure(pack, crop, job.check))
    layers = ", ".join(f"{layer.name} ({layer.units})" for layer in info.layers)
    job.log(f"{info.rows} images in {info.precision}; layers: {layers}")
    job.artefact("scan", job.slug, job.output, rows=info.rows, layers=list(info.names))


def _describe(job: JobContext) -> None:
    """Scan with a descriptor, which has no network."""
    spec = job.spec
    with Pack.open(job.inputs["gallery"]) as pack:
        rows = len(pack)
        info = scan_descriptor(
            pack,
            job.inputs["checkpoint"],
            job.output,
            name=spec["checkpoint"],
            gallery=spec["gallery"],
            top=spec["top"],
            tick=lambda done: job.progress(done, rows, "images"),
        )
    job.log(f"{info.rows} images, {info.layers[0].units} numbers each; no learned weights")
    job.artefact("scan", job.slug, job.output, rows=info.rows, layers=list(info.names))


def _wait_for_images(job: JobContext) -> None:
    """Wait until the gallery has its first shard. Raises JobFailed where it takes too long."""
    until = monotonic() + FIRST_IMAGES
    while not (job.inputs["gallery"] / MANIFEST).exists():
        job.check()
        if monotonic() > until:
            raise JobFailed("no_images", "The gallery has no images yet. Resume this scan once its import has begun.")
        sleep(0.2)
