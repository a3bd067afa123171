"""The JSON of clusterings and clusters."""

from dataclasses import asdict
from typing import Any

from app.routes.pictures import ImageAddress
from app.services.clusters.service import Agreement, Cluster, ClusteringRecord
from app.settings import Settings
from app.web.json_times import rfc3339
from models.clusters.files import ClusteringReader

Shape = dict[str, Any]


def clustering_json(record: ClusteringRecord, settings: Settings) -> Shape:
    """A clustering as lists show it."""
    path = f"/clusters/{record.slug}"
    return {
        "slug": record.slug,
        "scan": record.scan,
        "checkpoint": record.checkpoint,
        "gallery": record.gallery,
        "layer": record.layer,
        "method": record.method,
        "k": record.k,
        "rows": record.rows,
        "created_at": rfc3339(record.created_at),
        "links": {
            "self": settings.url(f"/api{path}"),
            "page": settings.url(path),
            "scan": settings.url(f"/api/scans/{record.scan}"),
            "gallery": settings.url(f"/api/galleries/{record.gallery}"),
            "assignment": settings.url(f"/api{path}/assignment.npy"),
            **({} if record.job_id is None else {"job": settings.url(f"/api/jobs/{record.job_id}")}),
        },
    }


def whole_json(record: ClusteringRecord, reader: ClusteringReader, settings: Settings) -> Shape:
    """A clustering, how it was made, the sizes of its clusters, and how it agrees with labels that it never used."""
    info = reader.info
    return {
        **clustering_json(record, settings),
        "options": asdict(info.options),
        "units": info.units,
        "dimension": info.dimension,
        "fitted_rows": info.fitted_rows,
        "source": info.source,
        "checkpoint_sha256": info.checkpoint_sha256,
        "centres_sha256": info.centres_sha256,
        "inertia": list(info.inertia),
        "reseeded": list(info.reseeded),
        "spread": dict(info.spread),
        "sizes": reader.sizes.tolist(),
        "against_labels": None if info.against_labels is None else dict(info.against_labels),
        "labels_used_in_training": False,
        "seconds": info.seconds,
        "memory_bytes": info.memory_bytes,
        "provenance": dict(info.provenance),
    }


def cluster_json(record: ClusteringRecord, cluster: Cluster, settings: Settings) -> Shape:
    """One cluster with its members."""
    path = f"/clusters/{record.slug}/{cluster.number}"

    def image(row: int, **more: float) -> Shape:
        at = ImageAddress(settings, record.gallery, row)
        return {"row": row, **more, "links": {"self": at.json, "page": at.page, "thumbnail": at.thumbnail}}

    return {
        "cluster": cluster.number,
        "size": cluster.size,
        "share": cluster.share,
        "mean_distance": cluster.tightness,
        "commonest_label": None if cluster.commonest is None else asdict(cluster.commonest),
        "nearest": [image(row, distance=distance) for row, distance in cluster.nearest],
        "random": [image(row) for row in cluster.random],
        "links": {"self": settings.url(f"/api{path}"), "page": settings.url(path)},
    }


def agreement_json(found: Agreement | None) -> Shape | None:
    """The agreement of two clusterings of one gallery; None if it was not asked for or is being computed."""
    return None if found is None else asdict(found)
