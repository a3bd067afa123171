"""The panels of the first screen as JSON."""

from app.routes.home.panels import FirstLook, Part
from app.services.counting.service import Counted


def panels_json(look: FirstLook) -> dict[str, object]:
    """The checkpoint, the image, and the contents of the four panels; an empty panel says why."""
    on = look.stage
    return {
        "checkpoint": on.checkpoint.slug,
        "gallery": on.gallery.slug,
        "scan": None if on.scan is None else on.scan.slug,
        "job": None if on.making is None else str(on.making.id),
        "image": None
        if look.subject is None
        else {"row": look.subject.row, "upload": look.subject.upload, "typical_of": look.subject.among},
        "count": _why(look.count) or _count(look.count.content),
        "control": _why(look.control) or _count(look.control.content),
        "units": _why(look.units) or _units(look),
        "search": _why(look.rows) or {"rows": _rows(look)},
        "filters": _why(look.filters) or _filters(look),
        "links": {"page": look.link(), "count": look.bench},
    }


def _why(part: Part[object]) -> dict[str, object] | None:
    if part.content is not None:
        return None
    return {"waiting": part.live, "reason": part.fault or part.busy or None}


def _count(counted: Counted | None) -> dict[str, object] | None:
    if counted is None:
        return None
    tiles = counted.answer.tiles.sum(axis=1).tolist()
    return {"tiles": tiles, "crop": counted.answer.crop, **counted.summary()}


def _units(look: FirstLook) -> dict[str, object] | None:
    found = look.units.content
    if found is None:
        return None
    units = [
        {
            "unit": item.unit,
            "chosen": item.chosen,
            "score": item.score,
            "top": [{"row": shot.row, "value": shot.value, "box": shot.box} for shot in item.shots],
            "links": {"page": item.href},
        }
        for item in found.units
    ]
    return {"layer": found.layer, "units": units}


def _rows(look: FirstLook) -> list[dict[str, object]]:
    return [
        {
            "space": row.name,
            "waiting": row.found is None,
            "worse_than_pixels_by": row.worse,
            "neighbors": [
                {"row": number, "distance": distance}
                for number, distance in zip(row.found.rows, row.found.distances, strict=True)
            ]
            if row.found
            else [],
        }
        for row in look.rows.content or ()
    ]


def _filters(look: FirstLook) -> dict[str, object] | None:
    found = look.filters.content
    if found is None:
        return None
    return {
        "layer": found.layer,
        "tv_ratio": {sheet.name: sheet.roughness for sheet in found.sheets},
        "noise_tv_ratio": found.noise,
    }
