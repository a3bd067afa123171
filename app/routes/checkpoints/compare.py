"""Compares two checkpoints: the page, its JSON twin, and their first filters as pictures on one scale of gray."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from app.deps import ServicesDep, SettingsDep
from app.routes.checkpoints.compare_page import show_pair
from app.routes.checkpoints.evaluations import cell_json, gates_json
from app.routes.checkpoints.routes import links
from app.services.evaluations.comparison import ComparedCheckpoint, Comparison, ComparisonService, Side
from app.services.services import Services
from app.settings import Settings
from app.web.responses import Json, answers

router = APIRouter()

SlugQuery = Annotated[str, Query(min_length=1, max_length=200)]
MaybeSlugQuery = Annotated[str | None, Query(max_length=200)]
ZoomQuery = Annotated[int, Query(ge=1, le=16)]


def _service(services: Services) -> ComparisonService:
    return ComparisonService(services.checkpoints, services.evaluations)


def _side_json(side: ComparedCheckpoint, settings: Settings) -> dict[str, object]:
    return {
        "slug": side.record.slug,
        "name": side.record.name,
        "trained_on": side.card.provenance.get("gallery"),
        "images": None if side.source is None else side.source.note,
        "gates": None if side.gates is None else gates_json(side.gates),
        "links": links(side.record, settings),
    }


def _json(found: Comparison, settings: Settings) -> dict[str, object]:
    here = f"a={found.a.record.slug}&b={found.b.record.slug}"
    measures = [
        {
            "name": line.name,
            "label": line.label,
            "a": cell_json(line.a),
            "b": cell_json(line.b),
            "difference": line.difference,
            "apart": line.apart,
        }
        for line in found.lines
    ]
    return {
        "a": _side_json(found.a, settings),
        "b": _side_json(found.b, settings),
        "on": found.on,
        "choices": [key for key, _ in found.choices],
        "warning": found.warning or None,
        "measures": measures,
        "links": {
            "self": settings.url(f"/api/compare?{here}"),
            "page": settings.url(f"/compare?{here}"),
            "filters_a": settings.url(f"/api/compare/filters.png?{here}&side=a"),
            "filters_b": settings.url(f"/api/compare/filters.png?{here}&side=b"),
        },
    }


@router.get("/api/compare")
def compare_json(
    a: SlugQuery, b: SlugQuery, services: ServicesDep, settings: SettingsDep, on: MaybeSlugQuery = None
) -> Json:
    """Gates and measures of two checkpoints, on images that both were measured on if there are any."""
    return Json(_json(_service(services).compare(a, b, on or None), settings))


@router.get("/api/compare/filters.png", response_class=Response, responses=answers("image/png"))
def compare_filters(
    a: SlugQuery, b: SlugQuery, services: ServicesDep, side: Side = "a", zoom: ZoomQuery = 4
) -> Response:
    """The first filters of one of the two, strongest first, on a scale that both share; gray is zero."""
    picture = _service(services).filters_png(a, b, side, zoom=zoom)
    return Response(picture, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


@router.get("/compare", include_in_schema=False)
def compare_page(
    request: Request,
    services: ServicesDep,
    a: MaybeSlugQuery = None,
    b: MaybeSlugQuery = None,
    on: MaybeSlugQuery = None,
) -> HTMLResponse:
    found = _service(services).compare(a, b, on or None) if a and b else None
    return show_pair(request, services, found, a or "", b or "")
