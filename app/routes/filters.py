"""The first-layer filters of a checkpoint: numbers, one picture, and the page that sorts them."""

import base64
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from app.deps import ServicesDep, SettingsDep
from app.services.first_layers import FilterPanel, FirstLayer, Panel, Sort
from app.settings import Settings
from app.web.responses import Json, answers
from app.web.templating import page
from models.filter_pictures import Scale, png

router = APIRouter()

ZoomQuery = Annotated[int, Query(ge=1, le=16)]


@dataclass(frozen=True)
class FilterTile:
    """One filter on the page: its picture as a data address, its norm, and the measure that orders the page."""

    filter: int
    picture: str
    norm: float
    value: float | None


def panel_json(panel: FilterPanel) -> dict[str, object]:
    """Values a filter, their medians, and whether that is smoother than noise."""
    return {
        "measures": panel.measures.lists(),
        "medians": panel.measures.medians(),
        "smoother_than_noise": panel.smoothness.smoother,
        "sentence": panel.smoothness.sentence,
    }


def layer_json(slug: str, layer: FirstLayer, settings: Settings) -> dict[str, object]:
    """The first layer as numbers: weights[unit][channel][y][x]."""
    here = f"/api/checkpoints/{slug}"
    return {
        "layer": layer.layer,
        "shape": list(layer.trained.weights.shape),
        "weights": layer.trained.weights.tolist(),
        **panel_json(layer.trained),
        "step0": None if layer.step0 is None else panel_json(layer.step0),
        "noise_medians": layer.noise,
        "links": {
            "self": settings.url(f"{here}/filters"),
            "page": settings.url(f"/checkpoints/{slug}/filters"),
            "checkpoint": settings.url(here),
            "png": settings.url(f"{here}/filters.png"),
        },
    }


def tiles(layer: FirstLayer, panel: Panel, scale: Scale, sort: Sort) -> list[FilterTile] | None:
    """The filters of a panel in the order of the trained ones, so that both panels can be compared place by place."""
    pictures = layer.pixels(panel, scale)
    shown = layer.trained if panel == "trained" else layer.step0
    if pictures is None or shown is None:
        return None
    values = layer.values(shown, sort)
    return [
        FilterTile(
            filter=number,
            picture=f"data:image/png;base64,{base64.b64encode(png(pictures[number])).decode()}",
            norm=float(shown.measures.norm[number]),
            value=None if values is None else float(values[number]),
        )
        for number in layer.order(sort)
    ]


@router.get("/api/checkpoints/{checkpoint}/filters")
def show_filters(checkpoint: str, services: ServicesDep, settings: SettingsDep) -> Json:
    """Weights and measures of the first layer, and the measures of the run's own step 0."""
    return Json(layer_json(checkpoint, services.checkpoints.first_layer(checkpoint), settings))


@router.get("/api/checkpoints/{checkpoint}/filters.png", response_class=Response, responses=answers("image/png"))
def filters_picture(
    checkpoint: str,
    services: ServicesDep,
    scale: Scale = "common",
    sort: Sort = "filter",
    panel: Panel = "trained",
    zoom: ZoomQuery = 4,
) -> Response:
    """All first-layer filters as one picture; gray is zero."""
    picture = services.checkpoints.filters_png(checkpoint, panel=panel, scale=scale, sort=sort, zoom=zoom)
    return Response(picture, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


@router.get("/checkpoints/{checkpoint}/filters", include_in_schema=False)
def filters_page(
    request: Request, checkpoint: str, services: ServicesDep, sort: Sort = "norm", scale: Scale = "common"
) -> HTMLResponse:
    record = services.checkpoints.get(checkpoint)
    layer = services.checkpoints.first_layer(checkpoint)
    return page(
        request,
        "filters.html",
        record=record,
        layer=layer,
        trained=tiles(layer, "trained", scale, sort),
        step0=tiles(layer, "step0", scale, sort),
        sort=sort,
        scale=scale,
    )
