"""Shapes of JSON: a type, a test of a value, a list of one shape, or a dictionary with at least these keys."""

import math
import re
from collections.abc import Callable
from typing import Any

Shape = type | Callable[[Any], bool] | list["Shape"] | dict[str, "Shape"]

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def fits(value: Any, shape: Any, at: str = "answer") -> None:
    """Fails with the place of the first value that does not fit."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), at
        assert set(value) >= set(shape), f"{at} has no {sorted(set(shape) - set(value))}"
        for key, inner in shape.items():
            fits(value[key], inner, f"{at}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), at
        for place, item in enumerate(value):
            fits(item, shape[0], f"{at}[{place}]")
    elif isinstance(shape, type):
        assert type(value) is shape, f"{at} is {value!r}"
    else:
        assert shape(value), f"{at} is {value!r}"


def number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def natural(value: Any) -> bool:
    return type(value) is int and value >= 0


def share(value: Any) -> bool:
    return number(value) and 0 <= value <= 1


def slug(value: Any) -> bool:
    return isinstance(value, str) and bool(_SLUG.fullmatch(value))


def moment(value: Any) -> bool:
    """RFC 3339 in UTC."""
    return isinstance(value, str) and bool(_MOMENT.fullmatch(value))


def path(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"/(?!/)[^\s#]*", value))


def box(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(type(edge) is float for edge in value)
        and value[0] < value[2]
        and value[1] < value[3]
    )


def one_of(*allowed: object) -> Callable[[Any], bool]:
    return lambda value: value in allowed


def or_null(shape: Any) -> Callable[[Any], bool]:
    def test(value: Any) -> bool:
        if value is not None:
            fits(value, shape)
        return True

    return test


def values(shape: Any) -> Callable[[Any], bool]:
    """A dictionary of any keys, whose values have one shape."""

    def test(found: Any) -> bool:
        assert isinstance(found, dict)
        for name, value in found.items():
            fits(value, shape, name)
        return True

    return test


LINKS = {"page": path}
STATES = ("queued", "running", "cancelling", "done", "failed", "cancelled", "blocked")
GALLERY = {
    "slug": slug,
    "name": str,
    "rows": natural,
    "skipped": natural,
    "created_at": moment,
    "source": {"kind": one_of("folder", "manifest", "sample", "upload", "countables")},
    "links": {**LINKS, "self": path, "images": path},
}
IMAGE = {
    "row": natural,
    "path": str,
    "label": or_null(str),
    "split": or_null(str),
    "counts": or_null(values(natural)),
    "width": natural,
    "height": natural,
    "links": {**LINKS, "self": path, "thumbnail": path, "image": path},
}
JOB = {
    "id": str,
    "kind": one_of("import", "train", "scan", "evaluate", "cluster", "probe"),
    "state": one_of(*STATES),
    "progress": or_null(share),
    "step": or_null(natural),
    "total": or_null(natural),
    "unit": or_null(str),
    "eta_seconds": or_null(number),
    "metrics": values(number),
    "error": or_null({"code": str, "message": str}),
    "attempt": natural,
    "created_at": moment,
    "links": {**LINKS, **dict.fromkeys(("self", "metrics", "events", "log", "cancel", "resume"), path)},
}
KIND = one_of("conv", "fc", "counts")
LAYER = {
    "name": str,
    "units": natural,
    "stride": or_null(natural),
    "receptive_field": or_null(natural),
    "kind": KIND,
}
CHECKPOINT = {
    "slug": slug,
    "name": str,
    "architecture": str,
    "created_at": moment,
    "links": {**LINKS, "self": path, "filters": path, "count": path},
}
CARD = {**CHECKPOINT, "layers": [LAYER], "preprocessing": dict, "provenance": dict, "measures": dict}
SCAN = {
    "slug": slug,
    "checkpoint": slug,
    "gallery": slug,
    "rows": natural,
    "created_at": moment,
    "links": {**LINKS, **dict.fromkeys(("self", "search", "checkpoint", "gallery"), path)},
}
STATISTICS = {"mean": number, "max": number, "share_active": share, "dead": bool}
TOP = {
    "row": natural,
    "value": number,
    "y": or_null(natural),
    "x": or_null(natural),
    "box": box,
    "links": {**LINKS, "image": path, "thumbnail": path},
}
UNIT = {"unit": natural, "statistics": STATISTICS, "top": [TOP], "links": {**LINKS, "self": path}}
HISTOGRAM = {"edges": [number], "counts": [natural]}
COUNTED = {
    "whole": [number],
    "tiles": [[number]],
    "sum": [number],
    "active_units": [natural],
    "crop": [number],
    "kernel": one_of("area", "linear", "cubic", "lanczos"),
    "warnings": [str],
    "residual": {
        "per_unit": [number],
        "squared": number,
        "relative": or_null(number),
        "rank_among_mismatched": or_null(share),
    },
}
FOUND = {
    "layer": str,
    "metric": one_of("l2", "cosine"),
    "neighbors": [
        {
            "row": natural,
            "distance": number,
            "percentile": or_null(number),
            "seen": bool,
            "copies": [natural],
            "copies_total": natural,
            "links": {**LINKS, "image": path, "thumbnail": path},
        }
    ],
    "unseen_only": bool,
    "own_source_left_out": bool,
    "pending": [str],
}
ITEMS = {"galleries": GALLERY, "checkpoints": CHECKPOINT, "scans": SCAN, "jobs": JOB}
