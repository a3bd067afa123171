"""What the search page shows: the query with its region, its neighbours, or images to start from."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import HTMLResponse

from app.failures import BadQuery, Busy, NotFound
from app.routes.pictures import Picture, Tile, gallery_picture, labels, some_rows, thumbnail, upload_picture
from app.routes.queries import SearchParams, address
from app.services.search import Found, default_layer
from app.services.services import Services
from app.settings import Settings
from app.web.templating import page
from models.geometry import Box
from models.packs import Pack
from models.scans import ScanReader

STARTS = 24
DISTANCES = {"l2": "Euclidean distance", "cosine": "cosine distance, 1 − cosine"}


@dataclass(frozen=True)
class Place:
    """The scan that is searched, and how links of its page are made."""

    slug: str
    reader: ScanReader
    pack: Pack
    params: SearchParams
    settings: Settings

    def link(self, **changes: object) -> str:
        """This page with one thing changed."""
        return address(self.settings.url(f"/scans/{self.slug}/search"), self.params, changes)

    def tile(self, row: int, label: str | None, caption: str) -> Tile:
        """A row that becomes the query on a click."""
        src = thumbnail(self.settings, self.reader.info.gallery, row)
        return Tile(row, src, self.link(row=row, upload=None, box=None, shuffle=None), caption, label)


def find(services: Services, scan: str, params: SearchParams) -> Found:
    """The neighbours of the image that the query string names. Raises BadQuery unless it names exactly one."""
    if (params.row is None) == (params.upload is None):
        raise BadQuery("one_image", "Give exactly one of `row` and `upload`.")
    if params.row is not None:
        return services.search.by_row(scan, params.row, params.asked, box=params.corners)
    upload = services.uploads.jpeg(params.upload or "")
    return services.search.by_image(scan, upload, params.asked, box=params.corners)


def show(request: Request, scan: str, params: SearchParams, services: Services, settings: Settings) -> HTMLResponse:
    """The page; while the network is being loaded it says so and asks again by itself."""
    reader = services.scans.reader(scan)
    place = Place(scan, reader, services.galleries.pack(reader.info.gallery), params, settings)
    asked = params.row is not None or params.upload is not None
    found, busy = _patiently(lambda: find(services, scan, params)) if asked else (None, None)
    picture = _picture(place, services) if asked else None
    answer = page(
        request,
        "search.html",
        status=503 if busy else 200,
        place=place,
        params=params,
        sources=services.search.has_sources(reader),
        counts=services.checkpoints.get(reader.info.checkpoint).task == "counting",
        layer=default_layer(reader, params.layer),
        distance=DISTANCES[params.metric],
        picture=picture,
        seen=_seen(place, found, picture) if picture else None,
        neighbors=_neighbors(place, found) if found else (),
        found=found,
        busy=busy,
        starts=() if asked else _starts(place),
    )
    if busy:
        answer.headers["Retry-After"] = str(busy.retry_after)
    return answer


def _patiently(ask: Callable[[], Found]) -> tuple[Found | None, Busy | None]:
    try:
        return ask(), None
    except Busy as busy:
        return None, busy


def _picture(place: Place, services: Services) -> Picture:
    row = place.params.row
    if row is None:
        return upload_picture(services, place.settings, place.params.upload or "")
    try:
        return gallery_picture(place.settings, place.reader.info.gallery, place.pack, row)
    except IndexError:
        raise NotFound("unknown_row", f"This gallery has no row {row}.") from None


def _seen(place: Place, found: Found | None, picture: Picture) -> Box | None:
    """The part of the query image that its vector was computed from."""
    if found is None:
        return None
    return found.crop or place.reader.crop(found.layer, width=picture.width, height=picture.height)


def _neighbors(place: Place, found: Found) -> list[Tile]:
    names = labels(place.pack, found.rows)
    rows = zip(found.rows, found.distances, names, strict=True)
    return [place.tile(row, label, f"{distance:#.3g}".rstrip(".")) for row, distance, label in rows]


def _starts(place: Place) -> list[Tile]:
    rows = some_rows(place.reader.rows, shuffle=place.params.shuffle, count=STARTS)
    return [place.tile(row, label, "") for row, label in zip(rows, labels(place.pack, rows), strict=True)]
