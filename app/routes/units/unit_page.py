"""The page of one unit: images of its whole range, its values, how it grew in training, and units that are like it."""

import numpy as np
from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from app.routes.crops import shot
from app.routes.pictures import thumbnail
from app.routes.units.pages import ORDERS
from app.routes.units.tiles import CROP, UnitParams, UnitTile, unit_tile
from app.routes.units.unit_context import (
    BestImages,
    Facts,
    GrownImageTile,
    GrowthSlider,
    RowView,
    UnitContext,
    UnitView,
)
from app.services.scans.service import OpenScan
from app.services.services import Services
from app.services.units.growth import UnitGrowth, can_grow, unit_growth
from app.services.units.images import UnitImageRow
from app.services.units.service import UnitDetail, Walk
from app.web.charts import histogram
from app.web.choices import Choice
from app.web.formats import count, number, percent
from app.web.templating import page

LARGE = 150  # size of the crops of the best images, pixels
TICKS = 6  # at most so many on the histogram's axis


def show_one_unit(
    request: Request, services: Services, scan: OpenScan, layer: str, unit: int, params: UnitParams
) -> HTMLResponse:
    """The page of one unit. Images that do not fire it are not among its best."""
    found = services.units.unit(scan, layer, unit, per_source=params.per_source, which=params.seen, seed=params.seed)
    view = UnitView(scan, found, params, services.settings)
    return page(request, _context(services, view, services.units.walk(scan, layer, unit, params.sort)))


def _context(services: Services, view: UnitView, walk: Walk) -> UnitContext:
    scan, found, params, settings = view.scan, view.found, view.params, view.settings
    record, seen = scan.record, services.search_aids.seen(scan)
    scan_page = settings.url(f"/scans/{scan.slug}")
    layer_page = f"{scan_page}/units/{found.layer.name}"
    grown = unit_growth(scan, found.layer.name, found.unit, params.at)
    live = count(found.overlaps.others, "live unit")
    return UnitContext(
        record=record,
        others=services.checkpoints.others(scan.checkpoint.slug),
        unit=found.unit,
        layer=found.layer.name,
        address=found.address,
        badge=_badge(found),
        scan_page=scan_page,
        grid=f"{layer_page}?sort={params.sort}",
        layer_page=layer_page,
        twin=settings.url(f"/api/scans/{scan.slug}/units/{found.layer.name}/{found.unit}"),
        before=view.other(walk.before),
        after=view.other(walk.after),
        fires_on=percent(found.statistics.share_active, 1),
        place=f"{walk.place + 1} of {walk.total} by {ORDERS[params.sort]}",
        seen=seen,
        only_unseen=params.seen == "unseen" and seen.splits,
        all_rows=view.link(seen="all"),
        unseen_rows=view.link(seen=None),
        uncovered="" if record.complete else f"{number(record.rows)} of {number(record.gallery_rows)} rows",
        best=_best(view),
        growth=None if grown is None else _growth(view, grown),
        can_grow=grown is None and view.maps and can_grow(scan.checkpoint),
        rows=[_row_view(row, view) for row in found.rows if row.name != "top"],
        values=_values(found),
        chart=_chart(found),
        top=found.overlaps.top,
        overlap_note=f"shared images and Jaccard index; mean over {live}: {number(found.overlaps.mean, 2)}",
        overlapping=_overlapping(services, view),
        similar=_similar(services, view),
        heat=params.heat,
    )


def _badge(found: UnitDetail) -> tuple[str, str]:
    if found.statistics.dead:
        return "dead", "bad"
    return ("active", "good") if found.statistics.active else ("not active", "warn")


def _best(view: UnitView) -> BestImages:
    found, params = view.found, view.params
    firing = [image for image in found.top if image.value > 0]
    shots = [shot(found.gallery, image, view.settings, shown=LARGE, tight=False) for image in firing[: params.k]]
    apart = ", one from each source picture" if found.has_sources and params.per_source else ""
    scale = field = region = ""
    if view.maps and params.heat:
        cells = "smoothed between cells" if params.smooth else "one square a cell"
        scale = f"{number(found.statistics.max, 4)}, its largest value in this gallery; {cells}"
    if view.maps and found.layer.receptive_field is not None:
        field = f"exact receptive field, {found.layer.receptive_field} px"
        box = firing[0].region if firing else None
        region = "" if box is None else f"{box[2] - box[0]:.0f} × {box[3] - box[1]:.0f} px"
    return BestImages(
        note=f"{len(shots)} of {number(len(firing))}{apart}, largest value first",
        shots=[view.shot(image) for image in shots],
        heat=_heat(view) if view.maps else [],
        sources=_sources(view) if found.has_sources else [],
        all_of_them=view.link(k=1000) if len(firing) > len(shots) else "",
        firing=len(firing),
        scale=scale,
        field=field,
        region=region,
    )


def _heat(view: UnitView) -> list[Choice]:
    """Links to show no heat maps, maps cell by cell, or smoothed maps."""
    shown, smooth = view.params.heat, view.params.smooth
    return [
        Choice("off", view.link(heat=None, smooth=None), not shown),
        Choice("cells", view.link(heat=True, smooth=None), shown and not smooth),
        Choice("smoothed", view.link(heat=True, smooth=True), shown and smooth),
    ]


def _sources(view: UnitView) -> list[Choice]:
    """Links to take only the best image of each source picture, or all of them."""
    apart = view.params.per_source
    return [
        Choice("the best only", view.link(per_source=None), apart),
        Choice("all", view.link(per_source=False), not apart),
    ]


def _growth(view: UnitView, grown: UnitGrowth) -> GrowthSlider:
    gallery, settings, knn = view.found.gallery, view.settings, grown.knn
    interval = None if knn is None else knn.interval
    return GrowthSlider(
        note=f"its best of {count(grown.images, 'image')} at steps of the training; the last is the checkpoint itself",
        steps=[Choice(number(step), view.link(at=step) + "#grown", step == grown.at) for step in grown.steps],
        images=[
            GrownImageTile(
                image.row,
                settings.url(f"/galleries/{gallery}/images/{image.row}"),
                thumbnail(settings, gallery, image.row),
                number(image.value),
            )
            for image in grown.best
        ],
        knn="" if knn is None else number(knn.value),
        interval="" if interval is None else f" [{number(interval[0])}, {number(interval[1])}]",
        knn_images="" if knn is None else count(knn.n or 0, "image"),
        chance=number(grown.chance),
    )


def _row_view(row: UnitImageRow, view: UnitView) -> RowView:
    """Images of the range with their title and rule in words."""
    images = [shot(view.found.gallery, image, view.settings, shown=CROP, tight=False) for image in row.images]
    shots = [view.shot(image) for image in images]
    fire, level = f"the {row.among:,} images that fire it", "–" if row.level is None else f"{row.level:.3g}"
    match row.name:
        case "p90":
            return RowView("90th percentile", f"of {fire}, 9 in 10 have at most {level}", shots)
        case "median":
            return RowView("Median", f"of {fire}, half have at most {level}", shots)
        case "zero":
            return RowView("Silent", f"drawn from the {row.among:,} images that it answers with 0 or less", shots)
        case _:
            again = view.link(seed=view.params.seed + 1) + "#range"
            return RowView("Random", f"drawn from {row.among:,} images", shots, again)


def _values(found: UnitDetail) -> Facts:
    layer, statistics = found.layer, found.statistics
    sees = "all that the network is shown" if layer.on_trunk else "the counting crop"
    if layer.kind == "conv" and layer.receptive_field is not None:
        sees = f"{layer.receptive_field} pixels, every {layer.stride}"
    share = "1/1000 of the layer's largest"
    return [
        ("Largest", number(statistics.max, 4)),
        ("Mean", number(statistics.mean, 4)),
        ("Above zero", f"{percent(statistics.share_active, 1)} of the images"),
        ("Active", f"yes: mean above {share}" if statistics.active else f"no: mean at most {share}"),
        ("Sees", sees),
    ]


def _similar(services: Services, view: UnitView) -> list[UnitTile]:
    return _others(services, view, {other.unit: f"r = {other.correlation:.2f}" for other in view.found.similar})


def _overlapping(services: Services, view: UnitView) -> list[UnitTile]:
    most = view.found.overlaps.most
    return _others(services, view, {other.unit: f"{other.shared} shared, {other.jaccard:.2f}" for other in most})


def _others(services: Services, view: UnitView, notes: dict[int, str]) -> list[UnitTile]:
    """Other units of the layer, each with the note why it is listed."""
    scan, layer, usual = view.scan, view.found.layer.name, UnitParams()
    return [
        unit_tile(view.settings, scan.slug, layer, scan.gallery, item, usual, count=2, note=notes[item.unit])
        for item in services.units.some(scan, layer, list(notes), best=2)
    ]


def _chart(found: UnitDetail) -> Markup:
    """The histogram without empty bins at its ends, with exact zeros apart; both axes are logarithmic."""
    filled = np.flatnonzero(found.counts[1:]) + 1
    first, last = (int(filled[0]), int(filled[-1])) if len(filled) else (1, 1)
    edges = [float(edge) for edge in found.edges[first : last + 2]]
    return histogram(
        edges,
        [int(count) for count in found.counts[first : last + 1]],
        zero=int(found.counts[0]),
        ticks=_ticks(edges[0], edges[-1]),
        label=f"Values of {found.address}",
        x_label="largest value in the image, on a log scale",
        y_label="images, on a log scale",
        even=True,
        log_y=True,
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round values 1, 2, 5 × 10^n between two values, thinned to about TICKS."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    found = [step * 10.0**power for power in powers for step in (1, 2, 5) if low <= step * 10.0**power <= high]
    tens = [10.0**power for power in powers if low <= 10.0**power <= high]
    kept = found if len(found) <= TICKS else tens
    return kept[:: max(1, -(-len(kept) // TICKS))]
