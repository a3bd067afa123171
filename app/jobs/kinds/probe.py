"""The job `probe`: measures every layer of a checkpoint on a labelled gallery by linear classifiers and neighbours."""

from pathlib import Path

from app.jobs.context import JobContext
from models.galleries.packs import Pack
from models.probes.bench import ProbeBench, ProbeReports
from models.probes.probing import probe
from models.probes.protocol import Protocol


def run(job: JobContext) -> None:
    """spec: checkpoint, gallery, layers, controls and the protocol; inputs: both folders; output: a row of the results.

    The controls are written as further rows of the same table. The state keeps the features of each finished shard, and
    the result of each seed.
    """
    spec = job.spec
    place: Path = job.output.parent
    with Pack.open(job.inputs["gallery"]) as pack:
        reports = ProbeReports(log=job.log, progress=job.progress)
        bench = ProbeBench.open(
            pack,
            spec["gallery"],
            Protocol.of(spec),
            device=job.device,
            place=place,
            state=job.state,
            reports=reports,
        )
        job.log(f"{bench.rows.part}: {len(bench.rows.train)} to learn from, {len(bench.rows.test)} to test on")
        found = probe(bench, job.inputs["checkpoint"], job.output.name, spec["layers"], controls=spec["controls"])
    best = max(found.layers, key=lambda layer: layer.linear.value)
    job.log(f"linear {found.measure} up to {best.linear.value:.3f} on {best.name}; chance {found.chance:.3f}")
    job.artefact("probe", job.slug, job.output, best=best.name)
