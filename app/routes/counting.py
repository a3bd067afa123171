"""The counting bench: the page, its JSON twin, and the magnitude of nested crops."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from app.deps import COUNT_IMAGE_OPENAPI, CountImageDep, ServicesDep, SettingsDep
from app.routes.count_page import chosen_box, query_image, show
from app.routes.queries import CountParams, address, box_text
from app.services.counting import Counted, Kernel
from app.settings import Settings
from app.web.responses import Json
from models.answers import CurvePoint

router = APIRouter()

Bench = Annotated[CountParams, Query()]


def counted_json(
    checkpoint: str, counted: Counted, settings: Settings, *, page: str | None = None
) -> dict[str, object]:
    """Both sides of the equation and how far they are apart; `crop` is in pixels of the image as served.

    `page` is the page of this very image.
    """
    answer = counted.answer
    return {
        "whole": answer.whole.tolist(),
        "tiles": answer.tiles.tolist(),
        "sum": answer.total.tolist(),
        "residual": {
            "per_unit": answer.per_unit.tolist(),
            "squared": answer.squared,
            "relative": answer.relative,
            "rank_among_mismatched": counted.rank.share if counted.rank else None,
        },
        "active_units": counted.active,
        "crop": answer.crop,
        "kernel": counted.kernel,
        "warnings": counted.warnings,
        "links": {
            "checkpoint": settings.url(f"/api/checkpoints/{checkpoint}"),
            "page": page or settings.url(f"/checkpoints/{checkpoint}/count"),
        },
    }


def curve_json(points: tuple[CurvePoint, ...]) -> list[dict[str, object]]:
    """Magnitude against the share of the central square's area."""
    return [{"area": p.area, "total": p.total, "norm": p.norm, "box": p.box} for p in points]


@router.get("/api/checkpoints/{checkpoint}/count")
def count_stored(checkpoint: str, params: Bench, services: ServicesDep, settings: SettingsDep) -> Json:
    """The counting equation of a `row` of a `gallery`, or of an earlier `upload`."""
    image = query_image(services, params)
    counted = services.counting.count(checkpoint, image, kernel=params.kernel, box=chosen_box(params, image))
    page = address(settings.url(f"/checkpoints/{checkpoint}/count"), params, {})
    return Json(counted_json(checkpoint, counted, settings, page=page))


@router.post("/api/checkpoints/{checkpoint}/count", openapi_extra=COUNT_IMAGE_OPENAPI)
def count_image(
    checkpoint: str, image: CountImageDep, services: ServicesDep, settings: SettingsDep, kernel: Kernel = "area"
) -> Json:
    """phi of the image downscaled against the sum of phi over its four tiles, and what is left between them."""
    if image.data is not None:
        query = services.uploads.read(image.data)
    else:
        query = services.counting.gallery_image(image.gallery or "", image.row or 0)
    counted = services.counting.count(checkpoint, query, kernel=kernel, box=image.box)
    return Json(counted_json(checkpoint, counted, settings))


@router.get("/api/checkpoints/{checkpoint}/count/curve")
def count_curve(checkpoint: str, params: Bench, services: ServicesDep) -> Json:
    """How much nested, centred crops count, from 50 to 95 % of the central square's area."""
    image = query_image(services, params)
    return Json({"curve": curve_json(services.counting.curve(checkpoint, image, kernel=params.kernel))})


@router.get("/checkpoints/{checkpoint}/count", include_in_schema=False)
def count_page(
    request: Request, checkpoint: str, params: Bench, services: ServicesDep, settings: SettingsDep
) -> HTMLResponse:
    return show(request, checkpoint, params, services, settings)


@router.post("/checkpoints/{checkpoint}/count", include_in_schema=False)
def count_upload(
    checkpoint: str, image: CountImageDep, services: ServicesDep, settings: SettingsDep, kernel: Kernel = "area"
) -> RedirectResponse:
    """What the page's upload form does: keep the image, then count it at an address of its own."""
    params = CountParams(kernel=kernel, box=box_text(image.box) if image.box else None)
    changes = {"upload": services.uploads.add(image.data or b"")}
    return RedirectResponse(address(settings.url(f"/checkpoints/{checkpoint}/count"), params, changes), status_code=303)
