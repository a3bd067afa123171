"""Addresses of the counting bench: the page, its JSON twin, the inputs as pictures, the counts of nested crops."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from app.deps import COUNT_IMAGE_OPENAPI, CountImageDep, ServicesDep, SettingsDep
from app.failures import NotFound
from app.opened import CheckpointDep
from app.routes.counting import bench as count_bench
from app.routes.counting.pages import show
from app.routes.counting.shapes import bands_json, counted_json, curve_json, reference_json
from app.routes.queries import CountParams, address, box_text
from app.services.counting.equations import gallery_equations
from app.services.counting.service import Kernel
from app.web.responses import Json, answers
from models.filters.pictures import png

router = APIRouter()

Bench = Annotated[CountParams, Query()]
Part = Literal["whole", "top-left", "top-right", "bottom-left", "bottom-right"]
PARTS: tuple[Part, ...] = ("whole", "top-left", "top-right", "bottom-left", "bottom-right")


@router.get("/api/checkpoints/{checkpoint}/count")
def count_stored(checkpoint: CheckpointDep, params: Bench, services: ServicesDep, settings: SettingsDep) -> Json:
    """The counting equation of a `row` of a `gallery`, or of an earlier `upload`; `other` is the row of y."""
    bench = count_bench.open_bench(services, settings, checkpoint, params)
    image = count_bench.query_image(services, params, bench.source)
    counted = count_bench.count(bench, services, image)
    told = count_bench.told(bench, services, counted)
    answer = counted_json(checkpoint.slug, counted, settings, page=bench.link(), **told)
    return Json({**answer, "seen": count_bench.seen(services, bench, image)})


@router.post("/api/checkpoints/{checkpoint}/count", openapi_extra=COUNT_IMAGE_OPENAPI)
def count_image(
    checkpoint: CheckpointDep,
    image: CountImageDep,
    services: ServicesDep,
    settings: SettingsDep,
    kernel: Kernel = "area",
) -> Json:
    """φ of the image downscaled, against the sum of φ over its four tiles, and the difference between them."""
    params = CountParams(gallery=image.gallery, row=image.row, kernel=kernel)
    bench = count_bench.open_bench(services, settings, checkpoint, params)
    sent = None if image.data is None else services.uploads.read(image.data)
    query = sent or count_bench.query_image(services, params, bench.source)
    counted = services.counting.count(checkpoint, query, kernel=kernel, box=image.box)
    answer = counted_json(checkpoint.slug, counted, settings, **count_bench.told(bench, services, counted))
    return Json({**answer, "seen": count_bench.seen(services, bench, query)})


@router.get("/api/checkpoints/{checkpoint}/count/input.png", response_class=Response, responses=answers("image/png"))
def count_input(
    checkpoint: CheckpointDep, params: Bench, services: ServicesDep, settings: SettingsDep, part: Part = "whole"
) -> Response:
    """One of the five inputs as the network saw it, pixel by pixel, on the scale of the crop."""
    bench = count_bench.open_bench(services, settings, checkpoint, params)
    counted = count_bench.count(bench, services, count_bench.query_image(services, params, bench.source))
    return Response(png(counted.answer.inputs.pixels[PARTS.index(part)]), media_type="image/png")


@router.get("/api/checkpoints/{checkpoint}/count/curve")
def count_curve(checkpoint: CheckpointDep, params: Bench, services: ServicesDep) -> Json:
    """How much nested, centred crops count, from 50 to 95 % of the central square's area."""
    source = None if params.gallery is None else count_bench.open_gallery(services, params.gallery)
    image = count_bench.query_image(services, params, source)
    return Json({"curve": curve_json(services.counting.curve(checkpoint, image, kernel=params.kernel))})


@router.get("/api/checkpoints/{checkpoint}/count/reference")
def count_reference(checkpoint: CheckpointDep, services: ServicesDep) -> Json:
    """Total counts of the images that the training kept out, whole and in tiles."""
    found = reference_json(services.counting.reference(checkpoint))
    if found is None:
        raise NotFound("no_reference", "This checkpoint came without reference images.")
    return Json(found)


@router.get("/api/checkpoints/{checkpoint}/count/equations")
def count_equations(checkpoint: CheckpointDep, params: Bench, services: ServicesDep, settings: SettingsDep) -> Json:
    """The best and the worst equations of a scanned `gallery`, in three bands of magnitude."""
    bench = count_bench.open_bench(services, settings, checkpoint, params)
    found = gallery_equations(services.scans.of(checkpoint.record), bench.gallery or "")
    return Json(bands_json(found.scan, bench.gallery, found.bands, settings))


@router.get("/checkpoints/{checkpoint}/count", include_in_schema=False)
def count_page(
    request: Request, checkpoint: CheckpointDep, params: Bench, services: ServicesDep, settings: SettingsDep
) -> HTMLResponse:
    return show(request, count_bench.open_bench(services, settings, checkpoint, params), services)


@router.post("/checkpoints/{checkpoint}/count", include_in_schema=False)
def count_upload(
    checkpoint: str, image: CountImageDep, services: ServicesDep, settings: SettingsDep, kernel: Kernel = "area"
) -> RedirectResponse:
    """Keeps the image that the page's form sends, and leads to the address at which it is counted."""
    params = CountParams(kernel=kernel, box=box_text(image.box) if image.box else None)
    changes = {"upload": services.uploads.add(image.data or b"")}
    return RedirectResponse(address(settings.url(f"/checkpoints/{checkpoint}/count"), params, changes), status_code=303)
