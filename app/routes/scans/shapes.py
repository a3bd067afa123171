"""The JSON of scans."""

from app.routes.pictures import image_links
from app.services.galleries.seen import Seen
from app.services.scans.overview import EquationAt, LayerSummary, Ranking, Residuals, ScanOverview, Valued
from app.services.scans.service import ScanRecord
from app.settings import Settings
from app.web.json_times import rfc3339
from models.scans.files import ScanInfo

Shape = dict[str, object]


def scan_links(record: ScanRecord, settings: Settings) -> dict[str, str]:
    """The addresses that belong to a scan."""
    here = f"/api/scans/{record.slug}"
    found = {
        "self": settings.url(here),
        "page": settings.url(f"/scans/{record.slug}"),
        "search": settings.url(f"{here}/search"),
        "checkpoint": settings.url(f"/api/checkpoints/{record.checkpoint}"),
        "gallery": settings.url(f"/api/galleries/{record.gallery}"),
    }
    if record.job_id is not None:
        found["job"] = settings.url(f"/api/jobs/{record.job_id}")
    return found


def scan_json(record: ScanRecord, settings: Settings) -> Shape:
    """A scan as lists show it."""
    return {
        "slug": record.slug,
        "checkpoint": record.checkpoint,
        "gallery": record.gallery,
        "rows": record.rows,
        "covers": {"rows": record.rows, "of": record.gallery_rows, "complete": record.complete},
        "layers": list(record.layers),
        "created_at": rfc3339(record.created_at),
        "links": scan_links(record, settings),
    }


def overview_json(record: ScanRecord, info: ScanInfo, found: ScanOverview, settings: Settings) -> Shape:
    """A scan with all that its page shows; `layers` in forward order."""
    row = _Rows(record, settings)
    return {
        **scan_json(record, settings),
        "layers": [_layer(record, summary, settings) for summary in found.layers],
        "precision": info.precision,
        "count_precision": info.count_precision,
        "pooling": info.pooling,
        "top_k": info.top_k,
        "trunk": {"size": info.trunk.size, "smallest": info.trunk.smallest},
        "maxima": info.maxima,
        "count_path": vars(info.counts) if info.counts else None,
        "seconds": info.seconds,
        "counts": found.counts
        and {"average": found.counts.average.tolist(), "active_units": list(found.counts.active)},
        "magnitude": {"l2": row.ranking(found.l2), "l1": row.ranking(found.l1)} if found.l2 and found.l1 else None,
        "residual": row.residuals(found.residuals) if found.residuals else None,
    }


def seen_json(seen: Seen) -> Shape:
    """How much of a gallery the network was trained on; null if that is not recorded, or not known yet."""
    known = seen.rows is not None
    return {"rows": seen.count if known else None, "share": seen.share, "preparing": seen.preparing}


def _layer(record: ScanRecord, summary: LayerSummary, settings: Settings) -> Shape:
    layer = summary.layer
    path = f"/scans/{record.slug}/units/{layer.name}"
    return {
        "name": layer.name,
        "units": layer.units,
        "kind": layer.kind,
        "stride": layer.stride,
        "receptive_field": layer.receptive_field,
        "region": summary.region,
        "statistics": {
            "dead": summary.dead,
            "max": summary.maximum,
            "mean": summary.mean,
            "share_active": summary.share_active,
        },
        "links": {
            "units": settings.url(f"/api{path}"),
            "page": settings.url(path),
            "embeddings": settings.url(f"/api/scans/{record.slug}/embeddings/{layer.name}.npy"),
        },
    }


class _Rows:
    """Makes JSON of rows of the scanned gallery, with their addresses."""

    def __init__(self, record: ScanRecord, settings: Settings) -> None:
        self._gallery, self._settings = record.gallery, settings

    def ranking(self, found: Ranking) -> Shape:
        """Images ranked by a norm of their count vector."""
        return {
            "highest": [self._valued(item) for item in found.highest],
            "lowest": [self._valued(item) for item in found.lowest],
            "median": found.median,
        }

    def residuals(self, found: Residuals) -> Shape:
        """The distribution of the relative residual, and the best and the worst equations."""
        return {
            "relative": {"edges": found.edges.tolist(), "counts": found.counts.tolist(), "median": found.median},
            "pooled": found.pooled,
            "empty": found.empty,
            "beyond": found.beyond,
            "ranked_by": "relative residual, among the images whose magnitude is above the median",
            "best": [self._equation(item) for item in found.best],
            "worst": [self._equation(item) for item in found.worst],
        }

    def _valued(self, item: Valued) -> Shape:
        return {"row": item.row, "value": item.value, "links": self._links(item.row)}

    def _equation(self, item: EquationAt) -> Shape:
        return {**vars(item), "links": self._links(item.row)}

    def _links(self, row: int) -> dict[str, str]:
        return image_links(self._gallery, row, self._settings)
