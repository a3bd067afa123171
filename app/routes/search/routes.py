"""Addresses of nearest neighbours: the page and its JSON twin; of a row, an upload, a region of either, or a vector."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from app.deps import SEARCH_IMAGE_OPENAPI, SearchImageDep, ServicesDep, SettingsDep
from app.opened import ScanDep
from app.routes.queries import HowParams, SearchParams, address, box_text
from app.routes.search.pages import find, show
from app.routes.search.rows import measured_json, spaces_beside
from app.services.scans.service import OpenScan
from app.services.search.service import Found
from app.services.services import Services
from app.settings import Settings
from app.web.responses import Json

COPIES = 50  # at most so many near copies of a hit are listed; `copies_total` counts them all

router = APIRouter()


How = Annotated[HowParams, Query()]
Search = Annotated[SearchParams, Query()]


def found_json(scan: str, found: Found, settings: Settings, *, page: str | None = None) -> dict[str, object]:
    """The neighbours with their distances and addresses. `page` is the address of the page of this query."""
    # Made once for all hits, as there may be a thousand with five addresses each.
    images = settings.url(f"/api/galleries/{found.gallery}/images")
    pages = settings.url(f"/galleries/{found.gallery}/images")
    search = settings.url(f"/api/scans/{scan}/search?layer={found.layer}&metric={found.metric}")
    return {
        "layer": found.layer,
        "metric": found.metric,
        "neighbors": [
            {
                "row": row,
                "distance": distance,
                "percentile": percentile,
                "seen": seen,
                "copies": copies[:COPIES],
                "copies_total": len(copies),
                "links": {
                    "self": f"{images}/{row}",
                    "image": f"{images}/{row}/image",
                    "thumbnail": f"{images}/{row}/thumbnail",
                    "search": f"{search}&row={row}",
                    "page": f"{pages}/{row}",
                },
            }
            for row, distance, percentile, seen, copies in zip(
                found.rows, found.distances, found.percentiles, found.seen, found.copies, strict=True
            )
        ],
        "unseen_only": found.unseen,
        "own_source_left_out": found.apart,
        "pending": found.pending,
        "crop": found.crop,
        "recall": found.recall,
        "warnings": found.warnings,
        "links": {
            "scan": settings.url(f"/api/scans/{scan}"),
            "gallery": settings.url(f"/api/galleries/{found.gallery}"),
            "page": page or settings.url(f"/scans/{scan}/search"),
        },
    }


def beside_json(
    services: Services, scan: OpenScan, params: SearchParams, settings: Settings
) -> dict[str, dict[str, object]]:
    """The same query in other spaces; `found` is null while it is being prepared, or if a scan is missing."""
    rows = spaces_beside(services, scan, params, services.search_aids.choose(scan, params.layer))
    return {
        row.space: {
            "scan": row.scan,
            "state": row.state,
            "worse_than_pixels": row.worse,
            "found": row.found and found_json(row.scan, row.found, settings),
        }
        for row in rows
    }


@router.get("/api/scans/{scan}/search")
def search_by_row(scan: ScanDep, params: Search, services: ServicesDep, settings: SettingsDep) -> Json:
    """Rows nearest to a `row` of the gallery (or to an earlier `upload`), nearest first, without the row itself."""
    page = address(settings.url(f"/scans/{scan.slug}/search"), params, {})
    answer = found_json(scan.slug, find(services, scan, params), settings, page=page)
    if params.spaces:
        answer["beside"] = beside_json(services, scan, params, settings)
    return Json(answer)


@router.get("/api/scans/{scan}/retrieval")
def retrieval(scan: ScanDep, services: ServicesDep, settings: SettingsDep) -> Json:
    """How well each space of a scan retrieves: precision at five, and its difference from that of raw pixels."""
    measured = services.search_aids.choose(scan, None).measured
    links = {"scan": settings.url(f"/api/scans/{scan.slug}"), "page": settings.url(f"/scans/{scan.slug}/search")}
    return Json({**measured_json(measured, scan.reader.layers), "links": links})


@router.post("/api/scans/{scan}/search", openapi_extra=SEARCH_IMAGE_OPENAPI)
def search_by_image(
    scan: ScanDep, image: SearchImageDep, how: How, services: ServicesDep, settings: SettingsDep
) -> Json:
    """Rows nearest to an uploaded image, to a region, or to a vector of the layer's length."""
    if image.vector is not None:
        found = services.search.by_vector(scan, image.vector, how.asked)
    elif image.row is not None:
        found = services.search.by_row(scan, image.row, how.asked, box=image.box)
    else:
        query = services.uploads.read(image.data or b"")
        found = services.search.by_image(scan, query.jpeg, how.asked, box=image.box)
    return Json(found_json(scan.slug, found, settings))


@router.get("/scans/{scan}/search", include_in_schema=False)
def search_page(
    request: Request, scan: ScanDep, params: Search, services: ServicesDep, settings: SettingsDep
) -> HTMLResponse:
    return show(request, scan, params, services, settings)


@router.post("/scans/{scan}/search", include_in_schema=False)
def search_upload(
    scan: str, image: SearchImageDep, how: How, services: ServicesDep, settings: SettingsDep
) -> RedirectResponse:
    """Keeps the image that the page's form sends, and leads to the address that shows its neighbours."""
    changes = {"upload": services.uploads.add(image.data or b""), "box": box_text(image.box) if image.box else None}
    return RedirectResponse(address(settings.url(f"/scans/{scan}/search"), how, changes), status_code=303)
