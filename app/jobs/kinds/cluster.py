"""The job `cluster`: clusters a layer of a scan, assigns its images to given centres, or draws random pseudo-labels."""

from collections.abc import Mapping

import numpy as np

from app.jobs.context import JobContext, JobFailed
from models.clusters.clustering import cluster, memory_needed
from models.clusters.files import ClusteringReader, Options
from models.galleries.packs import Pack
from models.scans.files import ScanReader
from models.versions import versions

LISTED = 12  # empty clusters that are named in the log


def run(job: JobContext) -> None:
    """spec: scan, layer, centres, options; inputs: scan, gallery and, where named, centres; output: a clustering.

    A new attempt continues from the centres that were saved last.
    """
    spec = job.spec
    options = Options(**{name: spec[name] for name in Options.__dataclass_fields__})
    reader = ScanReader(job.inputs["scan"])
    layer = spec["layer"]
    if layer not in reader.layers:
        raise JobFailed("unknown_layer", f"The scan has no layer {layer!r}; it has {', '.join(reader.layers)}.")
    source = ClusteringReader(job.inputs["centres"]) if "centres" in job.inputs else None
    if source is not None:
        options = _taken_over(reader, layer, source)
    units = reader.layer(layer).units
    if options.method == "kmeans":
        gib = memory_needed(reader.rows, options.pca or units, options.k) / 2**30
        vectors = reader.rows * (options.pca or units) * 4 / 2**30
        job.log(
            f"{reader.rows} images of {units} units into {options.k} clusters: about {gib:.2f} GiB of memory, "
            f"and a file of up to {vectors:.2f} GiB"
        )

    def report(step: int, total: int, unit: str, metrics: Mapping[str, float]) -> None:
        job.progress(step, total, unit, metrics)

    with Pack.open(job.inputs["gallery"]) as pack:
        info = cluster(
            reader,
            pack,
            job.output,
            job.state,
            name=job.slug,
            layer=layer,
            options=options,
            source=source,
            report=report,
            provenance={
                "scan": spec["scan"],
                "job": job.id,
                "architecture": reader.info.architecture,
                "versions": versions("faiss-cpu", "numpy", "scikit-learn"),
            },
        )
    _tell(job, ClusteringReader(job.output))
    job.artefact("clustering", job.slug, job.output, rows=info.rows, k=info.options.k)


def _taken_over(reader: ScanReader, layer: str, source: ClusteringReader) -> Options:
    """The options of the clustering whose centres are used.

    Raises JobFailed where it was made from another layer or from other weights.
    """
    if (source.info.checkpoint_sha256, source.info.layer) != (reader.info.checkpoint_sha256, layer):
        raise JobFailed(
            "other_space",
            f"The centres of {source.info.name} lie in {source.info.layer} of {source.info.checkpoint}, "
            f"not in {layer} of {reader.info.checkpoint} as it is now.",
        )
    options = source.info.options
    method = "random" if source.centres is None else "centres"
    return Options(**{**options.__dict__, "method": method})


def _tell(job: JobContext, made: ClusteringReader) -> None:
    """Log the sizes of the clusters, and which are empty."""
    spread = made.info.spread
    job.log(
        f"{spread['clusters'] - spread['empty']} of {spread['clusters']} clusters have images, the largest "
        f"{spread['largest_share']:.1%} of them; entropy {spread['entropy_bits']:.2f} of {spread['most_bits']:.2f} bits"
    )
    if spread["empty"]:
        empty = np.flatnonzero(made.sizes == 0)
        named = ", ".join(str(cluster) for cluster in empty[:LISTED])
        job.log(f"empty clusters: {named}{' ...' if len(empty) > LISTED else ''}")
