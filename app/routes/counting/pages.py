"""What the counting bench shows: the image, what the network saw of it, both sides, and what they are worth."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from app.failures import Busy
from app.routes.counting.bench import Bench, OpenGallery, Partner, count, named, partner, query_image, seen, truth
from app.routes.counting.charts import CountFigure, crop_curve, draw, strangers_histogram, totals_scatter, units_scatter
from app.routes.pictures import ImageAddress, Picture, Tile, labels, some_rows, thumbnail
from app.services.counting.equations import gallery_equations
from app.services.counting.readouts import NamedCounts
from app.services.counting.service import AREAS, EMPTY_CONTRAST, Counted
from app.services.counting.truth import CountTruth
from app.services.scans.service import OpenScan
from app.services.services import Services
from app.services.uploads import QueryImage
from app.web.axes import short
from app.web.templating import page
from models.answers import CurvePoint
from models.geometry import nested_square
from models.recipes.counting import KERNELS
from models.scans.bands import BandedEquation

STARTS = 12


@dataclass(frozen=True)
class Result:
    """One image counted, with its figures."""

    counted: Counted
    truth: CountTruth | None
    named: NamedCounts | None
    other: Partner | None
    other_row: int | None
    figure: CountFigure
    units: Markup
    totals: Markup | None
    strangers: Markup | None
    curve: Markup
    points: tuple[CurvePoint, ...]


def show(request: Request, bench: Bench, services: Services) -> HTMLResponse:
    """The page; while the network is being loaded it says so and asks again by itself."""
    params = bench.params
    image = query_image(services, params, bench.source) if bench.asked else None
    scans, tables = tuple(services.scans.of(bench.checkpoint.record)), services.evaluations.tables()
    result, busy = _result(bench, services, scans, image) if image else (None, None)
    answer = page(
        request,
        "count.html",
        status=503 if busy else 200,
        bench=bench,
        record=bench.checkpoint.record,
        params=params,
        kernels=KERNELS,
        picture=_picture(bench, image) if image else None,
        image_seen=seen(services, bench, image) if image else None,
        seen=None if bench.source is None else services.seen.find(bench.checkpoint.record, bench.source.pack),
        result=result,
        busy=busy,
        gallery=bench.gallery,
        starts=() if bench.source is None else _starts(bench, services, bench.source),
        areas=[(area, nested_square(image.width, image.height, area)) for area in AREAS] if image else (),
        search=_search_link(bench, scans),
        equations=gallery_equations(scans, bench.gallery) if bench.gallery else None,
        tested=tables.tested,
        carried=tables.carried,
        others=services.checkpoints.others(bench.slug),
        tile=lambda item: _equation_tile(bench, item),
        empty_contrast=EMPTY_CONTRAST,
    )
    if busy:
        answer.headers["Retry-After"] = str(busy.retry_after)
    return answer


def _result(
    bench: Bench, services: Services, scans: Sequence[OpenScan], image: QueryImage
) -> tuple[Result | None, Busy | None]:
    try:
        counted = count(bench, services, image)
        other = partner(bench, services, counted)
        points = services.counting.curve(bench.checkpoint, image, kernel=bench.params.kernel)
    except Busy as busy:
        return None, busy
    known = truth(bench, scans, counted)
    unit_href, reference = _unit_href(bench, scans), services.counting.reference(bench.checkpoint)
    result = Result(
        counted=counted,
        truth=known,
        named=named(bench, counted, known),
        other=other,
        other_row=_another(bench, bench.source, other) if other and bench.source else None,
        figure=draw(counted.answer, counted.active, unit_href),
        units=units_scatter(counted, unit_href),
        totals=totals_scatter(counted, reference) if reference is not None else None,
        strangers=strangers_histogram(counted),
        curve=crop_curve(points, bench.params.area),
        points=points,
    )
    return result, None


def _another(bench: Bench, source: OpenGallery, other: Partner) -> int:
    """The row of the next y to try: the one after this, leaving out x."""
    rows = source.record.rows
    after = (other.row + 1) % rows
    return (after + 1) % rows if after == bench.params.row else after


def _unit_href(bench: Bench, scans: Sequence[OpenScan]) -> str | None:
    """Where a unit's number goes to make the address of its top images, in the newest scan that has the count layer."""
    for scan in scans:
        if "counts" in scan.reader.layers:
            return bench.settings.url(f"/scans/{scan.slug}/units/counts/")
    return None


def _search_link(bench: Bench, scans: Sequence[OpenScan]) -> str | None:
    """The neighbours of the image on the bench, in a scan of its gallery (any scan, for an upload)."""
    for scan in scans:
        if bench.params.upload is not None:
            return bench.settings.url(f"/scans/{scan.slug}/search?upload={bench.params.upload}")
        if bench.params.row is not None and scan.gallery == bench.params.gallery:
            return bench.settings.url(f"/scans/{scan.slug}/search?row={bench.params.row}")
    return None


def _picture(bench: Bench, image: QueryImage) -> Picture:
    params, settings = bench.params, bench.settings
    if params.upload is not None:
        return Picture(settings.url(f"/uploads/{params.upload}.jpg"), image.width, image.height, "your image")
    src = ImageAddress(settings, params.gallery or "", params.row or 0).image
    return Picture(src, image.width, image.height, f"row {params.row} of {params.gallery}")


def _equation_tile(bench: Bench, item: BandedEquation) -> Tile:
    """An image of the gallery with its relative residual."""
    src = thumbnail(bench.settings, bench.gallery or "", item.row)
    return Tile(item.row, src, bench.image_link(item.row), short(float(f"{item.relative:.2g}")), None)


def _starts(bench: Bench, services: Services, source: OpenGallery) -> list[Tile]:
    rows = some_rows(len(source.pack), shuffle=bench.params.shuffle, count=STARTS)
    known = services.seen.find(bench.checkpoint.record, source.pack)
    return [
        Tile(row, thumbnail(bench.settings, source.slug, row), bench.image_link(row), "", label, seen=row in known)
        for row, label in zip(rows, labels(source.pack, rows), strict=True)
    ]
