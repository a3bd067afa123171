"""The page of all units of a layer, each with crops of its top images."""

from dataclasses import dataclass
from typing import ClassVar

from fastapi import Request
from fastapi.responses import HTMLResponse

from app.routes.units.tiles import UnitParams, UnitTile, unit_tile
from app.services.galleries.seen import Seen, Which
from app.services.scans.service import OpenScan
from app.services.services import Services
from app.services.units.service import Sort, UnitsPage, has_sources
from app.web.choices import Choice
from app.web.formats import count, number
from app.web.frame import PageContext
from app.web.templating import page

USUAL_LIMIT = 60  # units on a page
ORDERS: dict[Sort, str] = {"unit": "number", "mean": "mean", "max": "maximum", "share_active": "share of images"}


@dataclass(frozen=True)
class GridParams:
    """The parameters of the page; `first`: it shows the first units, as it has no cursor."""

    sort: Sort
    limit: int
    first: bool
    per_source: bool
    seen: Which

    def query(self, **changes: object) -> str:
        """The query string with some of the parameters changed, from the first unit on."""
        kept = {"sort": self.sort, "limit": self.limit, "per_source": self.per_source, "seen": self.seen, **changes}
        most = "" if kept["limit"] == USUAL_LIMIT else f"&limit={kept['limit']}"
        sources = "" if kept["per_source"] else "&per_source=0"
        return f"?sort={kept['sort']}{most}{sources}" + ("" if kept["seen"] == "unseen" else "&seen=all")


@dataclass(frozen=True)
class UnitsContext(PageContext):
    """All units of a layer. `here` is the address of the page without parameters, `twin` that of the JSON.

    `layers`, `orders` and `sources` are links to the page with another layer, order, or rule for images of one source.
    `only_unseen`: rows seen in training are left out; `all_rows` and `unseen_rows` switch that. `first` and `following`
    are the addresses of other parts of the list, None where there is none.
    """

    template: ClassVar[str] = "units.html"
    scan: str
    checkpoint: str
    others: list[tuple[str, str]]
    layer: str
    lead: str
    scan_page: str
    here: str
    twin: str
    layers: list[Choice]
    orders: list[Choice]
    sources: list[Choice]
    seen: Seen
    only_unseen: bool
    all_rows: str
    unseen_rows: str
    tiles: list[UnitTile]
    first: str | None
    following: str | None


def show_units(
    request: Request, services: Services, scan: OpenScan, found: UnitsPage, params: GridParams
) -> HTMLResponse:
    """The page of all units of a layer."""
    settings, layer, seen = services.settings, found.layer.name, services.search_aids.seen(scan)
    scan_page = settings.url(f"/scans/{scan.slug}")
    here = f"{scan_page}/units/{layer}"
    kept = UnitParams(sort=params.sort, per_source=params.per_source, seen=params.seen)
    return page(
        request,
        UnitsContext(
            scan=scan.slug,
            checkpoint=scan.checkpoint.slug,
            others=services.checkpoints.others(scan.checkpoint.slug),
            layer=layer,
            lead=_lead(scan, found),
            scan_page=scan_page,
            here=here,
            twin=settings.url(f"/api/scans/{scan.slug}/units/{layer}?sort={params.sort}"),
            layers=[
                Choice(name, f"{scan_page}/units/{name}?sort={params.sort}", name == layer)
                for name in scan.record.layers
            ],
            orders=[
                Choice(words, here + params.query(sort=sort), sort == params.sort) for sort, words in ORDERS.items()
            ],
            sources=_sources(here, params) if has_sources(scan) else [],
            seen=seen,
            only_unseen=params.seen == "unseen" and seen.splits,
            all_rows=here + params.query(seen="all"),
            unseen_rows=here + params.query(seen="unseen"),
            tiles=[unit_tile(settings, scan.slug, layer, found.gallery, item, kept, count=4) for item in found.units],
            first=None if params.first else here + params.query(),
            following=None if found.next is None else f"{here}{params.query()}&cursor={found.next}",
        ),
    )


def _lead(scan: OpenScan, found: UnitsPage) -> str:
    """How many units there are, and what their crops show."""
    layer = found.layer
    if layer.kind == "conv" and layer.receptive_field is not None:
        if scan.info.regions:
            field = f"the {layer.receptive_field} px receptive field"
            shown = f"the part of {field} where the unit's gradient is above half of its maximum"
        else:
            shown = f"the {layer.receptive_field} pixels that the firing cell sees"
    else:
        shown = "all that the network saw of the image" if layer.on_trunk else "what the counting path saw of the image"
    return f"{count(found.total, 'unit')}, {number(found.dead)} dead; each crop is {shown}"


def _sources(here: str, params: GridParams) -> list[Choice]:
    """Links to take only the best image of each source picture, or all of them."""
    return [
        Choice("the best only", here + params.query(per_source=True), params.per_source),
        Choice("all", here + params.query(per_source=False), not params.per_source),
    ]
