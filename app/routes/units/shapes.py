"""The JSON of units: those of a layer, and one unit with its images and boxes."""

from app.routes.pictures import image_links
from app.services.units.images import TopImage, UnitImageRow
from app.services.units.service import Statistics, UnitDetail, UnitsPage, UnitSummary
from app.settings import Settings

Shape = dict[str, object]


def units_json(scan: str, found: UnitsPage, settings: Settings) -> Shape:
    """Some units of a layer, each with its top images."""
    return {
        "layer": found.layer.name,
        "units": [_unit_summary(scan, found, item, settings) for item in found.units],
        "total": found.total,
        "dead": found.dead,
        "next": found.next,
        "links": {
            "scan": settings.url(f"/api/scans/{scan}"),
            "page": settings.url(f"/scans/{scan}/units/{found.layer.name}"),
            "embeddings": settings.url(f"/api/scans/{scan}/embeddings/{found.layer.name}.npy"),
        },
    }


def unit_json(found: UnitDetail, settings: Settings) -> Shape:
    """One unit with all that its page shows."""
    path = f"/scans/{found.scan}/units/{found.layer.name}"
    here = settings.url(f"/api{path}/{found.unit}")
    return {
        "unit": found.unit,
        "layer": found.layer.name,
        "address": found.address,
        "statistics": {
            **_statistics(found.statistics),
            "histogram": {"edges": found.edges.tolist(), "counts": found.counts.tolist()},
        },
        "top": [_top(found.gallery, image, settings, heat=here) for image in found.top],
        "rows": {row.name: _row(found, row, settings, heat=here) for row in found.rows} if found.rows else None,
        "overlap": {
            "of": found.overlaps.top,
            "mean": found.overlaps.mean,
            "units": [
                {**vars(other), "links": _unit_links(found.scan, found.layer.name, other.unit, settings)}
                for other in found.overlaps.most
            ],
        },
        "similar": {
            "by": "correlation of pooled embeddings over images",
            "units": [
                {
                    "unit": other.unit,
                    "correlation": other.correlation,
                    "links": _unit_links(found.scan, found.layer.name, other.unit, settings),
                }
                for other in found.similar
            ],
        },
        "links": {
            **_unit_links(found.scan, found.layer.name, found.unit, settings),
            "layer": settings.url(f"/api{path}"),
            "scan": settings.url(f"/api/scans/{found.scan}"),
        },
    }


def _row(found: UnitDetail, row: UnitImageRow, settings: Settings, *, heat: str) -> Shape:
    return {
        "among": row.among,
        "level": row.level,
        "images": [_top(found.gallery, image, settings, heat=heat) for image in row.images],
    }


def _unit_links(scan: str, layer: str, unit: int, settings: Settings) -> dict[str, str]:
    path = f"/scans/{scan}/units/{layer}/{unit}"
    return {"self": settings.url(f"/api{path}"), "page": settings.url(path)}


def _unit_summary(scan: str, page: UnitsPage, item: UnitSummary, settings: Settings) -> Shape:
    links = _unit_links(scan, page.layer.name, item.unit, settings)
    return {
        "unit": item.unit,
        "statistics": _statistics(item.statistics),
        "top": [_top(page.gallery, image, settings, heat=links["self"]) for image in item.top],
        "links": links,
    }


def _statistics(found: Statistics) -> Shape:
    return {**vars(found)}


def _top(gallery: str, image: TopImage, settings: Settings, *, heat: str) -> Shape:
    return {
        "row": image.row,
        "value": image.value,
        "y": image.y,
        "x": image.x,
        "box": [float(edge) for edge in image.box],
        "region": None if image.region is None else [float(edge) for edge in image.region],
        "seen": image.seen,
        "links": {**image_links(gallery, image.row, settings), "heatmap": f"{heat}/heatmap?row={image.row}"},
    }
