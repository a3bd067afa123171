"""What the search page shows: the query with its region, its neighbours by space, or images to start from."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from fastapi import Request
from fastapi.responses import HTMLResponse

from app.failures import BadQuery, Busy, NotFound
from app.routes.pictures import Picture, Tile, gallery_picture, labels, some_rows, upload_picture
from app.routes.queries import SearchParams
from app.routes.search.rows import Place, neighbours, options, rows_beside, table
from app.services.scans.service import OpenScan
from app.services.search.service import Found
from app.services.services import Services
from app.settings import Settings
from app.web.templating import page
from models.geometry import Box

STARTS = 24
DISTANCES = {"l2": "Euclidean distance", "cosine": "cosine distance, 1 − cosine"}


def find(services: Services, scan: OpenScan, params: SearchParams, layer: str | None = None) -> Found:
    """The neighbours of the image that the query string names, in `layer` where that was chosen already.

    Raises BadQuery unless it names exactly one image.
    """
    asked = params.asked if layer is None else replace(params.asked, layer=layer)
    if (params.row is None) == (params.upload is None):
        raise BadQuery("one_image", "Give exactly one of `row` and `upload`.")
    if params.row is not None:
        return services.search.by_row(scan, params.row, asked, box=params.corners)
    upload = services.uploads.jpeg(params.upload or "")
    return services.search.by_image(scan, upload, asked, box=params.corners)


@dataclass(frozen=True)
class Query:
    """The image asked about, with the part of it that its vector was computed from."""

    picture: Picture
    part: Box | None
    seen: bool


def show(
    request: Request, scan: OpenScan, params: SearchParams, services: Services, settings: Settings
) -> HTMLResponse:
    """The page; while the network is being loaded it says so and asks again by itself."""
    place = Place(scan, params, settings)
    asked = params.row is not None or params.upload is not None
    chosen = services.search_aids.choose(scan, params.layer)
    found, busy = _patiently(lambda: find(services, scan, params, chosen.layer)) if asked else (None, None)
    beside = rows_beside(services, place, chosen) if asked else ()
    answer = page(
        request,
        "search.html",
        status=503 if busy else 200,
        place=place,
        others=services.checkpoints.others(scan.checkpoint.slug),
        params=params,
        chosen=chosen,
        sources=services.search.has_sources(scan),
        counts=scan.checkpoint.task == "counting",
        distance=DISTANCES[found.metric if found else params.metric],
        query=_query(place, services, found) if asked else None,
        neighbours=neighbours(place, found) if found else (),
        found=found,
        busy=busy,
        seen=services.search_aids.seen(scan),
        beside=beside,
        options=options(place),
        table=table(place, chosen.measured),
        waiting=chosen.measured.preparing or any(row.state == "preparing" for row in beside),
        starts=() if asked else _starts(place, services),
    )
    if busy:
        answer.headers["Retry-After"] = str(busy.retry_after)
    return answer


def _patiently(ask: Callable[[], Found]) -> tuple[Found | None, Busy | None]:
    try:
        return ask(), None
    except Busy as busy:
        return None, busy


def _query(place: Place, services: Services, found: Found | None) -> Query:
    picture = _picture(place, services)
    checkpoint, row = place.scan.checkpoint, place.params.row
    if row is not None:
        seen = row in services.seen.find(checkpoint, place.pack)
    else:
        name = place.params.upload or ""
        seen = bool(services.seen.image(checkpoint, services.uploads.jpeg(name), sha256=name))
    return Query(picture, _part(place, found, picture), seen)


def _picture(place: Place, services: Services) -> Picture:
    row = place.params.row
    if row is None:
        return upload_picture(services, place.settings, place.params.upload or "")
    try:
        return gallery_picture(place.settings, place.scan.gallery, place.pack, row)
    except IndexError:
        raise NotFound("unknown_row", f"This gallery has no row {row}.") from None


def _part(place: Place, found: Found | None, picture: Picture) -> Box | None:
    """The part of the query image that its vector was computed from; a space without a network sees all of it."""
    if found is None:
        return None
    if found.crop is not None or found.layer not in place.reader.layers:
        return found.crop
    return place.reader.crop(found.layer, width=picture.width, height=picture.height)


def _starts(place: Place, services: Services) -> list[Tile]:
    rows = some_rows(place.reader.rows, shuffle=place.params.shuffle, count=STARTS)
    seen = services.search_aids.seen(place.scan)
    return [place.tile(row, label, seen=row in seen) for row, label in zip(rows, labels(place.pack, rows), strict=True)]
