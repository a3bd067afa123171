"""The page of the counting bench: the image, what the network saw of it, the counts, and how good they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import HTMLResponse

from app.failures import Busy
from app.routes.counting.bench import Bench, OpenGallery, Partner, count, named, partner, query_image, seen, truth
from app.routes.counting.context import CountContext, CountForm, CountStart, ImageCard, ResultCards, TileFrame
from app.routes.counting.known_cards import equations_card, named_card, truth_card
from app.routes.counting.result_cards import (
    bars_card,
    curve_card,
    inputs_card,
    loss_card,
    scatter_card,
    stats,
    strangers_card,
    warning,
)
from app.routes.pictures import ImageAddress, Picture, Tile, labels, some_rows, thumbnail
from app.services.counting.equations import GalleryEquations, gallery_equations
from app.services.counting.service import Counted
from app.services.query_images import QueryImage
from app.services.scans.service import OpenScan
from app.services.services import Services
from app.web.templating import page
from app.web.waiting import waiting
from models.answers import CurvePoint
from models.recipes.counting import KERNELS

STARTS = 12  # images to choose from


@dataclass(frozen=True)
class Answers:
    """What the network answers: the counts of the image, those of y with the loss, and the counts of nested crops."""

    counted: Counted
    other: Partner | None
    points: tuple[CurvePoint, ...]


def show(request: Request, bench: Bench, services: Services) -> HTMLResponse:
    """The page; while the network is being loaded it says so and reloads itself."""
    image = query_image(services, bench.params, bench.source) if bench.asked else None
    scans, tables = tuple(services.scans.of(bench.checkpoint.record)), services.evaluations.tables()
    answers, busy = _ask(bench, services, image) if image else (None, None)
    counted = None if answers is None else answers.counted
    found = GalleryEquations(None, ()) if bench.gallery is None else gallery_equations(scans, bench.gallery)
    context = CountContext(
        slug=bench.slug,
        name=bench.checkpoint.record.name,
        others=services.checkpoints.others(bench.slug),
        twin="" if image is None else bench.api(),
        busy=waiting(busy),
        drop=bench.link(row=None, upload=None, gallery=None, box=None, area=None, shuffle=None),
        image=None if image is None else _image(bench, services, scans, image, counted),
        how=None if image is None else _how(bench, image),
        result=None if image is None or answers is None else _result(bench, services, scans, image, answers),
        equations=equations_card(bench, found, counted),
        tested=tables.tested,
        carried=tables.carried,
        start=None if bench.source is None else _start(bench, services, bench.source, asked=image is not None),
    )
    answer = page(request, context, status=503 if busy else 200)
    if busy:
        answer.headers["Retry-After"] = str(busy.retry_after)
    return answer


def _ask(bench: Bench, services: Services, image: QueryImage) -> tuple[Answers | None, Busy | None]:
    try:
        counted = count(bench, services, image)
        other = partner(bench, services, counted)
        points = services.counting.curve(bench.checkpoint, image, kernel=bench.params.kernel)
    except Busy as busy:
        return None, busy
    return Answers(counted, other, points), None


def _result(
    bench: Bench, services: Services, scans: Sequence[OpenScan], image: QueryImage, answers: Answers
) -> ResultCards:
    counted, known = answers.counted, truth(bench, scans, answers.counted)
    unit_href, reference = _unit_href(bench, scans), services.counting.reference(bench.checkpoint)
    return ResultCards(
        warnings=[warning(name, counted) for name in counted.warnings],
        stats=stats(counted),
        inputs=inputs_card(bench, counted),
        bars=bars_card(counted, unit_href),
        scatter=scatter_card(counted, reference, unit_href),
        truth=truth_card(bench, known),
        named=named_card(bench, named(bench, counted, known), known),
        loss=loss_card(bench, counted, answers.other),
        strangers=strangers_card(counted),
        curve=curve_card(bench, image, answers.points),
    )


def _image(
    bench: Bench, services: Services, scans: Sequence[OpenScan], image: QueryImage, counted: Counted | None
) -> ImageCard:
    params, tiles = bench.params, list[TileFrame]()
    crop = None if counted is None else counted.answer.crop
    if crop is not None:
        side = (crop[2] - crop[0]) / 2
        tiles = [TileFrame(crop[0] + side * (at % 2), crop[1] + side * (at // 2), side) for at in range(4)]
    about = "" if params.row is None else bench.settings.url(f"/galleries/{params.gallery}/images/{params.row}")
    return ImageCard(
        picture=_picture(bench, image),
        crop=crop,
        tiles=tiles,
        seen=bool(seen(services, bench, image)),
        own_crop=bench.link(box=None, area=None) if params.box or params.area else "",
        search=_search_link(bench, scans) or "",
        about=about,
    )


def _how(bench: Bench, image: QueryImage) -> CountForm:
    params = bench.params
    kept = (("gallery", params.gallery), ("row", params.row), ("upload", params.upload), ("area", params.area))
    return CountForm(
        action=bench.settings.url(f"/checkpoints/{bench.slug}/count"),
        hidden=[(name, value) for name, value in kept if value is not None],
        kernels=KERNELS,
        kernel=params.kernel,
        box=params.box or "",
        region=f"in pixels of the {image.width} × {image.height} image; its central square is counted",
    )


def _unit_href(bench: Bench, scans: Sequence[OpenScan]) -> str | None:
    """The address to which a unit's number is added to get that of its top images.

    They are those of the newest scan that has the counting layer; None if no scan has it.
    """
    for scan in scans:
        if "counts" in scan.reader.layers:
            return bench.settings.url(f"/scans/{scan.slug}/units/counts/")
    return None


def _search_link(bench: Bench, scans: Sequence[OpenScan]) -> str | None:
    """The address of the image's neighbours in a scan of its gallery, in any scan for an upload; None without one."""
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


def _start(bench: Bench, services: Services, source: OpenGallery, *, asked: bool) -> CountStart | None:
    rows = some_rows(len(source.pack), shuffle=bench.params.shuffle, count=STARTS)
    if not rows:
        return None
    known = services.seen.find(bench.checkpoint.record, source.pack)
    tiles = [
        Tile(row, thumbnail(bench.settings, source.slug, row), bench.image_link(row), "", label, seen=row in known)
        for row, label in zip(rows, labels(source.pack, rows), strict=True)
    ]
    return CountStart(
        title=f"{'Other images of' if asked else 'Or one of'} {source.slug}",
        href=bench.settings.url(f"/galleries/{source.slug}"),
        tiles=tiles,
        seen=known,
        others=bench.link(shuffle=bench.params.shuffle + 1),
    )
