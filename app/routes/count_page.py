"""What the counting bench shows: the image under its grid, the bars, the totals, the strangers, the crop curve."""

from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from app.failures import BadQuery, Busy, Conflict, NotFound
from app.routes.count_figure import CountFigure, draw
from app.routes.pictures import Picture, Tile, labels, some_rows, thumbnail
from app.routes.queries import CountParams, address
from app.services.counting import AREAS, Counted, area_box
from app.services.services import Services
from app.services.uploads import QueryImage
from app.settings import Settings
from app.web.charts import histogram, line_chart
from app.web.templating import page
from models.answers import CurvePoint
from models.card import Card
from models.geometry import Box, nested_square
from models.recipes import KERNELS

STARTS = 12
BINS = 32


@dataclass(frozen=True)
class Bench:
    """The checkpoint on the bench, a scan of it if there is one, and how links of the page are made."""

    slug: str
    card: Card
    params: CountParams
    settings: Settings
    scans: tuple[str, ...]

    def link(self, **changes: object) -> str:
        """This page with one thing changed."""
        return address(self.settings.url(f"/checkpoints/{self.slug}/count"), self.params, changes)

    @property
    def asked(self) -> bool:
        return self.params.row is not None or self.params.upload is not None


@dataclass(frozen=True)
class Result:
    """One image counted, with its figures."""

    counted: Counted
    figure: CountFigure
    strangers: Markup | None
    curve: Markup
    points: tuple[CurvePoint, ...]


def query_image(services: Services, params: CountParams) -> QueryImage:
    """The image that the query string names. Raises BadQuery unless it names exactly one."""
    if (params.row is None) == (params.upload is None):
        raise BadQuery("one_image", "Give exactly one of `gallery` with `row`, and `upload`.")
    if params.upload is not None:
        return services.uploads.open(params.upload)
    if params.gallery is None:
        raise BadQuery("gallery_missing", "`row` needs the `gallery` that it belongs to.")
    return services.counting.gallery_image(params.gallery, params.row or 0)


def chosen_box(params: CountParams, image: QueryImage) -> Box | None:
    """The part of the image to count: a box, a share of the area, or None for the checkpoint's own crop."""
    if params.corners is not None:
        return params.corners
    return area_box(image, params.area) if params.area is not None else None


def show(
    request: Request, checkpoint: str, params: CountParams, services: Services, settings: Settings
) -> HTMLResponse:
    """The page; while the network is being loaded it says so and asks again by itself."""
    record = services.checkpoints.get(checkpoint)
    card = services.checkpoints.read_card(record)
    if not card.has_counts:
        raise Conflict("no_counts", f"{record.name} has no counting head, so there is nothing to add up.")
    if params.box is not None:  # a drawn box is what counts
        params = params.model_copy(update={"area": None})
    bench = Bench(checkpoint, card, params, settings, record.scans)
    image = query_image(services, params) if bench.asked else None
    result, busy = _result(bench, services, image) if image else (None, None)
    gallery = _gallery(bench, services)
    answer = page(
        request,
        "count.html",
        status=503 if busy else 200,
        bench=bench,
        record=record,
        params=params,
        kernels=KERNELS,
        picture=_picture(bench, image) if image else None,
        result=result,
        busy=busy,
        gallery=gallery,
        starts=_starts(bench, services, gallery) if gallery else (),
        areas=[(area, nested_square(image.width, image.height, area)) for area in AREAS] if image else (),
        search=_search_link(bench, services),
    )
    if busy:
        answer.headers["Retry-After"] = str(busy.retry_after)
    return answer


def _result(bench: Bench, services: Services, image: QueryImage) -> tuple[Result | None, Busy | None]:
    kernel = bench.params.kernel
    try:
        counted = services.counting.count(bench.slug, image, kernel=kernel, box=chosen_box(bench.params, image))
        points = services.counting.curve(bench.slug, image, kernel=kernel)
    except Busy as busy:
        return None, busy
    figure = draw(counted.answer, counted.active, _unit_href(bench, services))
    return Result(counted, figure, _strangers(counted), _curve(points, bench.params.area), points), None


def _unit_href(bench: Bench, services: Services) -> str | None:
    """Where a unit's number goes to make the address of its top images, in the newest scan that has the count layer."""
    for scan in bench.scans:
        if "counts" in services.scans.reader(scan).layers:
            return bench.settings.url(f"/scans/{scan}/units/counts/")
    return None


def _search_link(bench: Bench, services: Services) -> str | None:
    """The neighbours of the image on the bench, in a scan of its gallery (any scan, for an upload)."""
    for scan in bench.scans:
        gallery = services.scans.reader(scan).info.gallery
        if bench.params.upload is not None:
            return bench.settings.url(f"/scans/{scan}/search?upload={bench.params.upload}")
        if bench.params.row is not None and gallery == bench.params.gallery:
            return bench.settings.url(f"/scans/{scan}/search?row={bench.params.row}")
    return None


def _picture(bench: Bench, image: QueryImage) -> Picture:
    params, settings = bench.params, bench.settings
    if params.upload is not None:
        return Picture(settings.url(f"/uploads/{params.upload}.jpg"), image.width, image.height, "your image")
    src = settings.url(f"/api/galleries/{params.gallery}/images/{params.row}/image")
    return Picture(src, image.width, image.height, f"row {params.row} of {params.gallery}")


def _gallery(bench: Bench, services: Services) -> str | None:
    """The gallery to choose images from: the one asked for, a scanned one, or the newest with images."""
    if bench.params.gallery is not None:
        return bench.params.gallery
    for scan in bench.scans:
        return services.scans.reader(scan).info.gallery
    known = services.galleries.list(limit=50).galleries
    return next((gallery.slug for gallery in known if gallery.rows), None)


def _starts(bench: Bench, services: Services, gallery: str) -> list[Tile]:
    try:
        pack = services.galleries.pack(gallery)
    except NotFound:
        return []
    rows = some_rows(len(pack), shuffle=bench.params.shuffle, count=STARTS)
    return [
        Tile(
            row=row,
            src=thumbnail(bench.settings, gallery, row),
            href=bench.link(gallery=gallery, row=row, upload=None, box=None, area=None),
            caption="",
            label=label,
        )
        for row, label in zip(rows, labels(pack, rows), strict=True)
    ]


def _strangers(counted: Counted) -> Markup | None:
    """Where this image's residual lies among the distances of mismatched pairs."""
    if counted.mismatched is None:
        return None
    top = max(float(counted.mismatched[-1]), counted.residual) * 1.02 or 1.0
    edges = [top * place / BINS for place in range(BINS + 1)]
    counts = [0] * BINS
    for distance in counted.mismatched.tolist():
        counts[min(int(distance / top * BINS), BINS - 1)] += 1
    return histogram(
        edges,
        counts,
        label="Distances of mismatched pairs, and this image's residual",
        x_label="distance between one image's whole and another's tile sum",
        y_label="pairs",
        markers={"this image": counted.residual},
        height=130,
    )


def _curve(points: tuple[CurvePoint, ...], area: float | None) -> Markup:
    series = {
        "total count": [(100 * point.area, point.total) for point in points],
        "norm": [(100 * point.area, point.norm) for point in points],
    }
    markers = {f"{round(100 * area)} %": 100 * area} if area is not None else None
    return line_chart(
        series,
        label="How much nested crops count",
        x_label="share of the central square's area, %",
        markers=markers,
        height=180,
    )
