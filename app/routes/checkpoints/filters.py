"""The first-layer filters of a checkpoint: as numbers, as one picture, and as a page that sorts them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from app.deps import ServicesDep, SettingsDep
from app.opened import CheckpointDep
from app.routes.checkpoints.filters_page import show_filters_page
from app.services.checkpoints.first_layers import FirstLayer, LayerFilters, Sort
from app.services.filters.panels import KMeansPanel
from app.settings import Settings
from app.web.responses import Json, answers
from models.filters.pictures import Scale

router = APIRouter()

ZoomQuery = Annotated[int, Query(ge=1, le=16)]
GalleryQuery = Annotated[str | None, Query(max_length=200)]
StepQuery = Annotated[int | None, Query(ge=0, le=2**31)]


def panel_json(panel: LayerFilters) -> dict[str, object]:
    """Measures of every filter, their medians, and whether the filters are smoother than noise."""
    return {
        "measures": panel.measures.lists(),
        "medians": panel.measures.medians(),
        "smoother_than_noise": panel.smoothness.smoother,
        "sentence": panel.smoothness.sentence,
    }


def kmeans_json(kmeans: KMeansPanel) -> dict[str, object]:
    """Centroids as numbers; `preparing` is true while they are being computed."""
    if kmeans.panel is None:
        return {"gallery": kmeans.gallery, "preparing": True}
    return {
        "gallery": kmeans.gallery,
        "preparing": False,
        "weights": kmeans.panel.weights.tolist(),
        **panel_json(kmeans.panel),
    }


def layer_json(slug: str, layer: FirstLayer, kmeans: KMeansPanel | None, settings: Settings) -> dict[str, object]:
    """The first layer as numbers: weights[unit][channel][y][x]."""
    here = f"/api/checkpoints/{slug}"
    return {
        "layer": layer.layer,
        "shape": list(layer.trained.weights.shape),
        "weights": layer.trained.weights.tolist(),
        **panel_json(layer.trained),
        "relative_change": None if layer.change is None else [float(f"{value:.6g}") for value in layer.change],
        "step0": None if layer.step0 is None else panel_json(layer.step0),
        "kmeans": None if kmeans is None else kmeans_json(kmeans),
        "noise_medians": layer.noise,
        "links": {
            "self": settings.url(f"{here}/filters"),
            "page": settings.url(f"/checkpoints/{slug}/filters"),
            "checkpoint": settings.url(here),
            "png": settings.url(f"{here}/filters.png"),
        },
    }


@router.get("/api/checkpoints/{checkpoint}/filters")
def show_filters(
    checkpoint: CheckpointDep,
    services: ServicesDep,
    settings: SettingsDep,
    gallery: GalleryQuery = None,
    at: StepQuery = None,
) -> Json:
    """Weights and measures of the first layer, of its own step 0, and of k-means of a gallery's whitened patches.

    `at` is one of `steps`, those that the training kept snapshots of; without it the filters are those of its end.
    """
    kmeans = services.filters.kmeans(checkpoint, gallery)
    layer = services.checkpoints.first_layer(checkpoint, at)
    steps = list(checkpoint.steps)
    return Json({**layer_json(checkpoint.slug, layer, kmeans, settings), "steps": steps, "at": at})


@router.get("/api/checkpoints/{checkpoint}/filters.png", response_class=Response, responses=answers("image/png"))
def filters_picture(
    checkpoint: CheckpointDep,
    services: ServicesDep,
    scale: Scale = "common",
    sort: Sort = "filter",
    panel: Literal["trained", "step0", "kmeans"] = "trained",
    zoom: ZoomQuery = 4,
    at: StepQuery = None,
) -> Response:
    """All first-layer filters as one picture, at the end of the training or `at` a step; gray is zero."""
    if panel == "kmeans":
        picture = services.filters.kmeans_png(checkpoint, scale=scale, zoom=zoom)
    else:
        picture = services.checkpoints.filters_png(checkpoint, panel=panel, scale=scale, sort=sort, zoom=zoom, at=at)
    return Response(picture, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


@router.get("/checkpoints/{checkpoint}/filters", include_in_schema=False)
def filters_page(
    request: Request,
    checkpoint: CheckpointDep,
    services: ServicesDep,
    sort: Sort | None = None,
    scale: Scale = "common",
    gallery: GalleryQuery = None,
    at: StepQuery = None,
) -> HTMLResponse:
    return show_filters_page(request, services, checkpoint, sort=sort, scale=scale, gallery=gallery, at=at)
