"""What the four panels of the first screen show."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.routes.crops import Shot
from app.routes.home.panels import Filters, FirstLook, Part, SearchRow, Units
from app.routes.pictures import Picture, Tile
from app.services.counting.service import Counted
from app.services.galleries.truth import TruthGrid
from app.services.jobs.view import JobView, view
from app.web.formats import count, duration, number

# Titles of rows of neighbours; those of other spaces have the name of their layer.
SPACES = {"counts": "by its counts", "pixels": "by raw pixels: no network"}
# The two ways in which units are chosen, and how the panel calls them.
CHOSEN = (("activity", "this image drives most"), ("random", "at random"))


@dataclass(frozen=True)
class Making:
    """The job that makes what a panel lacks; `words` say how far it is, `share` is the part that is done (0 to 1)."""

    title: str
    href: str
    state: str
    error: str
    ended: bool
    share: float | None
    words: str


@dataclass(frozen=True)
class ScanForm:
    """The button that scans a gallery with a checkpoint."""

    checkpoint: str
    gallery: str


@dataclass(frozen=True)
class Missing:
    """Why a panel is empty, and what helps.

    `fault` says what failed, `busy` that the network is being loaded. If both are empty, `making` is the job that will
    fill the panel; if that is None too, `offer` describes the scan that `form` would start.
    """

    what: str
    fault: str
    busy: str
    making: Making | None
    offer: str
    form: ScanForm


@dataclass(frozen=True)
class PanelHead:
    """The title of a panel; `live`: it asks for itself again, because something in it is still being made."""

    id: str
    title: str
    href: str
    note: str
    live: bool


@dataclass(frozen=True)
class CountTile:
    """One of the four tiles on the image, in its pixels, with what is counted in it."""

    x: float
    y: float
    middle: tuple[float, float]
    total: str


@dataclass(frozen=True)
class CountRow:
    """What one network counts: in each tile, in all tiles together, in the whole."""

    name: str
    tiles: Sequence[str]
    total: str
    whole: str


@dataclass(frozen=True)
class EquationPanel:
    """The counting equation of the image; `control` and `strangers` are sentences, empty if nothing is known.

    `side` is that of a tile, in pixels of the image.
    """

    rows: Sequence[CountRow]
    ratio: str
    control: str
    strangers: str
    tiles: Sequence[CountTile]
    side: float
    letters: float  # their height on the image, in its pixels


@dataclass(frozen=True)
class CountPanel:
    head: PanelHead
    picture: Picture | None
    truth: TruthGrid | None
    data: str  # the address of the image under /api
    equation: EquationPanel | None
    missing: Missing


@dataclass(frozen=True)
class UnitCell:
    unit: int
    href: str
    shots: Sequence[Shot]
    score: str


@dataclass(frozen=True)
class UnitPanel:
    head: PanelHead
    rows: Sequence[tuple[str, Sequence[UnitCell]]]  # how they were chosen, the units
    reshuffle: str
    missing: Missing


@dataclass(frozen=True)
class NearRow:
    """The neighbours in one space; `tiles` is None while they are being prepared.

    `worse` says at what the space is worse than raw pixels. `unseen`: images used in training were left out.
    """

    title: str
    href: str
    worse: str
    unseen: bool
    tiles: Sequence[tuple[Tile, str]] | None  # each with its alternative text


@dataclass(frozen=True)
class SearchPanel:
    head: PanelHead
    asked: str  # the picture that is asked about
    rows: Sequence[NearRow]
    missing: Missing


@dataclass(frozen=True)
class Sheet:
    """Filters as pictures, and how rough the median one is; `waits`: they are still being computed."""

    name: str
    roughness: str
    pictures: Sequence[str]
    waits: bool


@dataclass(frozen=True)
class FiltersPanel:
    head: PanelHead
    sheets: Sequence[Sheet]
    noise: str
    missing: Missing


@dataclass(frozen=True)
class Panels:
    count: CountPanel
    units: UnitPanel
    search: SearchPanel
    filters: FiltersPanel


def panels(look: FirstLook) -> Panels:
    """All four panels."""
    return Panels(_count_panel(look), _unit_panel(look), _search_panel(look), _filter_panel(look))


def progress_words(seen: JobView, what: str) -> str:
    """`120 of 600 images, about 20 s to go. Counts appear here as soon as it is done.`"""
    so_far = ""
    if seen.step is not None and seen.total:
        left = f", about {duration(seen.eta_seconds)} to go" if seen.eta_seconds else ""
        so_far = f"{number(seen.step)} of {count(seen.total, 'image')}{left}. "
    return f"{so_far}{what} appear here as soon as it is done."


def _missing(look: FirstLook, part: Part[object], what: str) -> Missing:
    on = look.stage
    return Missing(
        what=what,
        fault=part.fault,
        busy=part.busy,
        making=_making(look, what),
        offer=f"One pass of {on.checkpoint.slug} over {on.gallery.name} brings {what.lower()}.",
        form=ScanForm(on.checkpoint.slug, on.gallery.slug),
    )


def _making(look: FirstLook, what: str) -> Making | None:
    job = look.stage.making
    if job is None:
        return None
    seen = view(job)
    return Making(
        title=seen.title,
        href=look.settings.url(f"/jobs/{job.id}"),
        state=job.state,
        error="" if job.error is None else job.error.message,
        ended=seen.ended,
        share=seen.share,
        words=progress_words(seen, what),
    )


def _count_panel(look: FirstLook) -> CountPanel:
    note = "" if look.picture is None else look.picture.name
    if look.subject and look.subject.among:
        note = f"{note}, typical of {look.subject.among}"
    counted = look.count.content
    return CountPanel(
        head=PanelHead("panel-count", "What it counts", look.bench, note, look.count.live),
        picture=look.picture,
        truth=look.truth,
        data=_data(look),
        equation=None if counted is None or look.picture is None else _equation(look, counted, look.picture),
        missing=_missing(look, look.count, "Images" if look.picture is None else "Counts"),
    )


def _data(look: FirstLook) -> str:
    row = None if look.subject is None else look.subject.row
    return look.settings.url(f"/api/galleries/{look.stage.gallery.slug}/images/{row}")


def _equation(look: FirstLook, counted: Counted, picture: Picture) -> EquationPanel:
    control = look.control.content
    crop, totals = counted.answer.crop, _totals(counted)
    side = (crop[2] - crop[0]) / 2
    corners = [(crop[0] + side * (place % 2), crop[1] + side * (place // 2)) for place in range(len(totals))]
    rows = [_count_row("trained", counted)] + ([] if control is None else [_count_row("untrained", control)])
    return EquationPanel(
        rows=rows,
        ratio=_ratio(counted.additivity),
        control="" if control is None else f", untrained has {_ratio(control.additivity)}",
        strangers=_strangers(counted),
        tiles=[
            CountTile(x, y, (x + side / 2, y + side / 2), total) for (x, y), total in zip(corners, totals, strict=True)
        ],
        side=side,
        letters=round(picture.width / 11, 1),
    )


def _totals(counted: Counted) -> list[str]:
    return [number(total, 2) for total in counted.answer.tiles.sum(axis=1).tolist()]


def _count_row(name: str, counted: Counted) -> CountRow:
    return CountRow(name, _totals(counted), number(counted.tiles_total), number(counted.whole_total))


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _strangers(counted: Counted) -> str:
    rank = counted.rank
    if rank is None or not rank.pairs:
        return ""
    fit = f"{rank.closer} of {rank.pairs} strangers of similar norm fit its tiles better than their own image"
    return f"The network cuts its own central crop; {fit}."


def _unit_panel(look: FirstLook) -> UnitPanel:
    on, found = look.stage, look.units.content
    here = f"/checkpoints/{on.checkpoint.slug}"
    if on.scan is not None and found is not None:
        here = f"/scans/{on.scan.slug}/units/{found.layer}"
    layer = "" if found is None else found.layer
    return UnitPanel(
        head=PanelHead("panel-units", "What its units see", look.settings.url(here), layer, look.units.live),
        rows=[] if found is None else [(title, _unit_cells(found, chosen)) for chosen, title in CHOSEN],
        reshuffle=f"{look.link(shuffle=look.params.shuffle + 1)}#panel-units",
        missing=_missing(look, look.units, "Units"),
    )


def _unit_cells(found: Units, chosen: str) -> list[UnitCell]:
    return [
        UnitCell(item.unit, item.href, item.shots, f"{item.score:+.1f} σ")
        for item in found.units
        if item.chosen == chosen
    ]


def _search_panel(look: FirstLook) -> SearchPanel:
    scan, here = look.stage.scan, "/scans"
    if scan is not None:
        here = f"/scans/{scan.slug}/search" + (f"?{look.about}" if look.subject else "")
    note = "nearest first; click an image to ask about it"
    asked = f"{_data(look)}/thumbnail"
    if look.picture is not None and (look.subject is None or look.subject.row is None):
        asked = look.picture.src
    return SearchPanel(
        head=PanelHead("panel-search", "What is near", look.settings.url(here), note, look.search_live),
        asked=asked,
        rows=[_near_row(row) for row in look.rows.content or ()],
        missing=_missing(look, look.rows, "Neighbours"),
    )


def _near_row(row: SearchRow) -> NearRow:
    words = [f"Row {tile.row}" + (f", {tile.label}" if tile.label else "") for tile in row.tiles]
    return NearRow(
        title=SPACES.get(row.name, f"by {row.name}"),
        href=row.href,
        worse=f"worse than raw pixels at {', '.join(row.worse)}" if row.worse else "",
        unseen=row.found is not None and row.found.unseen,
        tiles=None if row.found is None else list(zip(row.tiles, words, strict=True)),
    )


def _filter_panel(look: FirstLook) -> FiltersPanel:
    found = look.filters.content
    href = look.settings.url(f"/checkpoints/{look.stage.checkpoint.slug}/filters")
    first = "those your photo drives most first" if look.params.upload else "those that changed most first"
    return FiltersPanel(
        head=PanelHead("panel-filters", "Its first filters", href, f"{first}, one scale", look.filters_live),
        sheets=[] if found is None else _sheets(found),
        noise="" if found is None else number(found.noise, 3),
        missing=_missing(look, look.filters, "Filters"),
    )


def _sheets(found: Filters) -> list[Sheet]:
    return [
        Sheet(
            sheet.name,
            number(sheet.roughness, 3),
            sheet.pictures or (),
            waits=sheet is found.sheets[-1] and not sheet.pictures,
        )
        for sheet in found.sheets
    ]
