"""The search page: the query with its region, its neighbours in one or several spaces, or images to start from."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from fastapi import Request
from fastapi.responses import HTMLResponse

from app.failures import BadQuery, Busy, NotFound
from app.routes.pictures import Picture, gallery_picture, labels, some_rows, upload_picture
from app.routes.queries import SearchParams, address
from app.routes.search.context import FoundCard, QueryCard, SearchContext, SearchForm, SearchStart
from app.routes.search.rows import Place, neighbours, options, rows_beside
from app.routes.search.table import table
from app.services.galleries.seen import Seen
from app.services.scans.service import OpenScan
from app.services.search.aids import ChosenSpace, Why
from app.services.search.service import Found
from app.services.services import Services
from app.settings import Settings
from app.web.formats import count, number, percent
from app.web.templating import page
from app.web.waiting import waiting
from models.geometry import Box

STARTS = 24  # images to start from
WAIT = 3  # seconds until the page reloads itself while something is being measured
WHY: Mapping[Why, str] = {
    "best": "the best measured layer, see below",
    "measuring": "the last convolution, until the layers are measured",
    "unmeasured": "the last convolution: nothing to measure by",
}
WARNINGS = {
    "zero_vector": "This vector is all zeros, so it has no direction: every image is equally far by the cosine, and "
    "the first rows are shown. Use the Euclidean distance.",
    "enlarged": "The region has fewer pixels than the network reads, so it was enlarged: expect softer, less reliable "
    "neighbours.",
}
DISTANCES = {"l2": "Euclidean distance", "cosine": "cosine distance, 1 − cosine"}


def find(services: Services, scan: OpenScan, params: SearchParams, layer: str | None = None) -> Found:
    """The neighbours of the image that the query string names, in `layer` if that was chosen already.

    Raises BadQuery unless it names exactly one image.
    """
    asked = params.asked if layer is None else replace(params.asked, layer=layer)
    if (params.row is None) == (params.upload is None):
        raise BadQuery("one_image", "Give exactly one of `row` and `upload`.")
    if params.row is not None:
        return services.search.by_row(scan, params.row, asked, box=params.corners)
    upload = services.uploads.jpeg(params.upload or "")
    return services.search.by_image(scan, upload, asked, box=params.corners)


def show(
    request: Request, scan: OpenScan, params: SearchParams, services: Services, settings: Settings
) -> HTMLResponse:
    """The page; while the network is being loaded it says so and reloads itself."""
    place = Place(scan, params, settings)
    asked = params.row is not None or params.upload is not None
    chosen = services.search_aids.choose(scan, params.layer)
    found, busy = _patiently(lambda: find(services, scan, params, chosen.layer)) if asked else (None, None)
    beside = rows_beside(services, place, chosen) if asked else ()
    unfinished = chosen.measured.preparing or any(row.state == "preparing" for row in beside)
    query, space = _query(place, services, found) if asked else None, _space(chosen.layer)
    seen = services.search_aids.seen(scan)
    api = settings.url(f"/api/scans/{scan.slug}")
    context = SearchContext(
        scan=scan.slug,
        scan_page=settings.url(f"/scans/{scan.slug}"),
        gallery=scan.gallery,
        checkpoint=scan.checkpoint.slug,
        others=services.checkpoints.others(scan.checkpoint.slug),
        busy=waiting(busy),
        again=busy.retry_after if busy else WAIT if unfinished else None,
        lead=f"The images of {scan.gallery} whose {space} vectors lie closest to the query's, nearest first.",
        twin="" if params.row is None else address(f"{api}/search", params, {}),
        drop=place.link(row=None, upload=None, box=None, shuffle=None),
        query=query,
        how=_how(services, place, chosen, query, seen),
        found=_found(place, found, chosen) if found else None,
        seen=seen,
        space=space,
        options=options(place) if found else (),
        beside=beside if found else (),
        start=None if asked else _start(place, seen),
        table=table(place, chosen.measured),
        measuring=chosen.measured.preparing,
        measured=f"{api}/retrieval",
    )
    answer = page(request, context, status=503 if busy else 200)
    if busy:
        answer.headers["Retry-After"] = str(busy.retry_after)
    return answer


def _patiently(ask: Callable[[], Found]) -> tuple[Found | None, Busy | None]:
    try:
        return ask(), None
    except Busy as busy:
        return None, busy


def _space(name: str) -> str:
    """The name of a space, as it stands before the word `vectors`."""
    return {"counts": "count", "pixels": "raw pixel", "colours": "colour histogram"}.get(name, name)


def _query(place: Place, services: Services, found: Found | None) -> QueryCard:
    picture, params, settings = _picture(place, services), place.params, place.settings
    checkpoint, row, gallery = place.scan.checkpoint, params.row, place.scan.gallery
    if row is not None:
        seen, which = row in services.seen.find(checkpoint, place.pack), f"gallery={gallery}&row={row}"
    else:
        name = params.upload or ""
        seen = bool(services.seen.image(checkpoint, services.uploads.jpeg(name), sha256=name))
        which = f"upload={name}"
    counts = checkpoint.task == "counting"
    return QueryCard(
        picture,
        _part(place, found, picture),
        seen,
        whole=place.link(box=None) if params.box else "",
        count=settings.url(f"/checkpoints/{checkpoint.slug}/count?{which}") if counts else "",
        about="" if row is None else settings.url(f"/galleries/{gallery}/images/{row}"),
        others=place.link(row=None, upload=None, box=None),
    )


def _how(services: Services, place: Place, chosen: ChosenSpace, query: QueryCard | None, seen: Seen) -> SearchForm:
    params, picture = place.params, None if query is None else query.picture
    kept = (("row", params.row), ("upload", params.upload), ("beside", params.beside))
    size = "" if picture is None else f"{picture.width} × {picture.height}"
    return SearchForm(
        action=place.settings.url(f"/scans/{place.scan.slug}/search"),
        hidden=[(name, value) for name, value in kept if value is not None],
        layers=place.choices,
        layer=chosen.layer,
        why=_why(chosen),
        metric=params.metric,
        k=params.k,
        which=params.seen if seen.splits else "",
        sources=services.search.has_sources(place.scan),
        same_source=params.same_source,
        per_source=params.per_source,
        copies=params.copies,
        box=params.box or "",
        region=f"in pixels of the {size} image; its central square is compared" if size else "",
    )


def _why(chosen: ChosenSpace) -> str:
    """Why this layer is searched."""
    if chosen.why == "asked":
        return "chosen; how it does is measured below" if chosen.measured.quality else ""
    return WHY[chosen.why]


def _found(place: Place, found: Found, chosen: ChosenSpace) -> FoundCard:
    tiles = neighbours(place, found)
    title = {"pixels": "raw pixels", "colours": "colour histogram"}.get(chosen.layer, chosen.layer)
    itself = "; the query itself is left out" if place.params.row is not None else ""
    how = "Every row was compared."
    if found.recall is not None:
        how = f"Searched through a graph that finds {percent(found.recall, 1)} of the true 10 nearest."
    return FoundCard(
        title=f"By {title}",
        note=f"{count(len(tiles), 'image')} of {number(place.reader.rows)}{itself}",
        distance=DISTANCES[found.metric],
        warnings=[WARNINGS.get(name, name) for name in found.warnings],
        worse=" and by ".join(chosen.measured.worse(chosen.layer)),
        tiles=tiles,
        how=how,
        own_source=place.link(same_source=True) if found.apart else "",
        copies_wait="copies" in found.pending,
        unseen=found.unseen,
        all_rows=place.link(seen="all"),
        unseen_rows=place.link(seen=None),
    )


def _start(place: Place, seen: Seen) -> SearchStart:
    rows = some_rows(place.reader.rows, shuffle=place.params.shuffle, count=STARTS)
    named = zip(rows, labels(place.pack, rows), strict=True)
    return SearchStart(
        note=f"some of the {number(place.reader.rows)} scanned images",
        tiles=[place.tile(row, label, seen=row in seen) for row, label in named],
        others=place.link(shuffle=place.params.shuffle + 1),
    )


def _picture(place: Place, services: Services) -> Picture:
    row = place.params.row
    if row is None:
        return upload_picture(services, place.settings, place.params.upload or "")
    try:
        return gallery_picture(place.settings, place.scan.gallery, place.pack, row)
    except IndexError:
        raise NotFound("unknown_row", f"This gallery has no row {row}.") from None


def _part(place: Place, found: Found | None, picture: Picture) -> Box | None:
    """The box of the query image that its vector was computed from.

    None before there are neighbours, and in spaces without a network, which see the whole image.
    """
    if found is None:
        return None
    if found.crop is not None or found.layer not in place.reader.layers:
        return found.crop
    return place.reader.crop(found.layer, width=picture.width, height=picture.height)
