"""The page of a checkpoint's first filters: at the end of the training or at a step of it, and at its start.

Beside them it shows the centroids that k-means finds in patches of a gallery.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from fastapi import Request
from fastapi.responses import HTMLResponse

from app.services.checkpoints.first_layers import FirstLayer, LayerFilters, Panel, Sort
from app.services.checkpoints.service import OpenCheckpoint
from app.services.filters.panels import KMeansPanel, data_address, kmeans_pixels, ordered
from app.services.services import Services
from app.settings import Settings
from app.web.choices import Choice
from app.web.formats import count, number, percent
from app.web.frame import PageContext
from app.web.templating import page
from models.filters.pictures import Pixels, Scale

# The orders in which filters can be shown, with their names on the page.
NAMES: dict[Sort, str] = {
    "change": "relative change",
    "norm": "norm",
    "colourfulness": "colourfulness",
    "orientation_energy": "orientation energy",
    "smoothness": "smoothness",
    "filter": "number",
}
ROWS = (  # of the table of measures: measure, title, explanation
    ("norm", "Norm", "L2 over all weights of the filter"),
    ("colourfulness", "Colourfulness", "share of the energy that is not gray; noise has 2/3"),
    ("orientation_energy", "Orientation energy", "share of the gradient along one direction"),
    ("tv_ratio", "Total-variation ratio", "mean step between neighbours over mean deviation; smooth is below 1.1"),
    ("autocorrelation", "Lag-1 autocorrelation", "of direct neighbours; smooth is above 0.3"),
    ("low_frequency_share", "Low-frequency share", "power within 0.25 cycles a pixel; smooth is above 0.35"),
)
LAB_COLOURS = "share of the energy that lies in a and b; noise has 2/3"
DRAWN = {  # what the page says of filters that do not look at RGB, by their colour space
    "lab": "These filters look at Lab and are drawn in false colours: lightness in gray, a from green to magenta, b "
    "from blue to yellow. Their colourfulness is the share of a and b.",
    "l": "These filters look at lightness alone, so they are gray.",
}


@dataclass(frozen=True)
class FilterTile:
    """One filter on the page: its picture as a data address, its norm, and the value that the page is sorted by."""

    filter: int
    picture: str
    alt: str
    norm: str
    value: str


@dataclass(frozen=True)
class MissingFilters:
    """Why there are no filters of a kind, and what can be done about it."""

    why: str
    text: str
    href: str = ""
    label: str = ""


@dataclass(frozen=True)
class FilterGrid:
    """Filters of one kind, or why they are missing. `filters` is empty where `missing` is given.

    `median` is the median of how smooth they are, and `smooth` says in words how many are smooth.
    """

    id: str
    title: str
    note: str
    median: str
    smooth: str
    filters: list[FilterTile]
    missing: MissingFilters | None = None


@dataclass(frozen=True)
class FilterMeasureRow:
    """One measure of the median filter: a value for every column of the table."""

    label: str
    help: str
    values: list[str]


@dataclass(frozen=True)
class FiltersContext(PageContext):
    """The first filters of a checkpoint. `sheets` are three grids: the filters at the start, those now, and k-means.

    `here` is the address of the checkpoint's page, `twin` that of the JSON, `picture` that of all filters as one PNG.
    `sentence` says whether the filters are smoother than noise, in the colour `tone`; `changed` how much training
    changed them; `drawn` how filters of other colour spaces are shown. `scales`, `orders` and `steps` are links to this
    page with another scale, order or step. `stretched`: every filter has a scale of its own. `width` and `height` are
    those of a filter, in pixels. `value_name` names the value below each tile. `columns` and `rows` are the table of
    measures.
    """

    template: ClassVar[str] = "filters.html"
    slug: str
    name: str
    here: str
    others: list[tuple[str, str]]
    lead: str
    twin: str
    picture: str
    tone: str
    sentence: str
    changed: str
    scales: list[Choice]
    orders: list[Choice]
    steps: list[Choice]
    drawn: str
    stretched: bool
    scale: Scale
    width: int
    height: int
    value_name: str
    sheets: list[FilterGrid]
    columns: list[str]
    rows: list[FilterMeasureRow]


@dataclass(frozen=True)
class View:
    """How the filters are looked at.

    `layer` has the filters at the end of the training; their order is that of all grids and steps. `shown` has those at
    the step `at`, or is `layer` if `at` is None. `kmeans` is None if there is no gallery to cluster.
    """

    checkpoint: OpenCheckpoint
    layer: FirstLayer
    shown: FirstLayer
    kmeans: KMeansPanel | None
    sort: Sort
    scale: Scale
    at: int | None
    settings: Settings

    def address(self, *, sort: Sort | None = None, scale: Scale | None = None, at: int | None = None) -> str:
        """The address of this page with another order, scale or step; without `at` it shows the training's end."""
        here = self.settings.url(f"/checkpoints/{self.checkpoint.slug}/filters")
        step = "" if at is None else f"&at={at}"
        return f"{here}?sort={sort or self.sort}&scale={scale or self.scale}{step}"

    @property
    def medians(self) -> list[dict[str, float]]:
        """The medians of every column of the table but noise."""
        panels = [self.shown.trained, self.shown.step0, None if self.kmeans is None else self.kmeans.panel]
        return [panel.measures.medians() for panel in panels if panel is not None]


def show_filters_page(
    request: Request,
    services: Services,
    checkpoint: OpenCheckpoint,
    *,
    sort: Sort | None,
    scale: Scale,
    gallery: str | None,
    at: int | None,
) -> HTMLResponse:
    """The page with the filters now or at the step `at`, at the start, and what k-means finds in `gallery`."""
    layer = services.checkpoints.first_layer(checkpoint)
    shown = layer if at is None else services.checkpoints.first_layer(checkpoint, at)
    kmeans = services.filters.kmeans(checkpoint, gallery)
    view = View(checkpoint, layer, shown, kmeans, ordered(layer, sort), scale, at, services.settings)
    return page(request, _context(view, services.checkpoints.others(checkpoint.slug)))


def _context(view: View, others: list[tuple[str, str]]) -> FiltersContext:
    checkpoint, shown, settings, sort, at = view.checkpoint, view.shown, view.settings, view.sort, view.at
    units, _, height, width = shown.trained.weights.shape
    smoothness, step = shown.trained.smoothness, "" if at is None else f"&at={at}"
    api = settings.url(f"/api/checkpoints/{checkpoint.slug}/filters")
    return FiltersContext(
        slug=checkpoint.slug,
        name=checkpoint.record.name,
        here=settings.url(f"/checkpoints/{checkpoint.slug}"),
        others=others,
        lead=f"{units} filters of {shown.layer}, {width}×{height} pixels; gray is zero",
        twin=api,
        picture=f"{api}.png?zoom=6&scale={view.scale}&sort={sort}{step}",
        tone="" if not smoothness.telling else "good" if smoothness.smoother else "warn",
        sentence=smoothness.sentence,
        changed=_changed(shown),
        scales=[
            Choice("one for all", view.address(scale="common", at=at), view.scale == "common"),
            Choice("each its own", view.address(scale="own", at=at), view.scale == "own"),
        ],
        orders=[
            Choice(words, view.address(sort=name, at=at), name == sort)
            for name, words in NAMES.items()
            if name != "change" or shown.change is not None
        ],
        steps=_steps(view),
        drawn=DRAWN.get(shown.colour, ""),
        stretched=view.scale == "own",
        scale=view.scale,
        width=width,
        height=height,
        value_name=NAMES[sort],
        sheets=[_start(view), _now(view), _kmeans(view)],
        columns=["now", *(["start"] if shown.step0 else []), *(["k-means"] if _clustered(view) else []), "noise"],
        rows=[_row(view, *row) for row in ROWS],
    )


def _changed(layer: FirstLayer) -> str:
    """How much training changed the filters; empty where their start is not known."""
    if layer.change is None:
        return ""
    median = float(np.sort(layer.change)[len(layer.change) // 2])
    least, most = percent(float(layer.change.min())), percent(float(layer.change.max()))
    return (
        f"Training changed the median filter by {percent(median)} of its norm at the start, the least by {least}, "
        f"the most by {most}."
    )


def _steps(view: View) -> list[Choice]:
    """Links to the steps whose filters were kept, and to the end of the training."""
    kept = view.checkpoint.steps
    if not kept:
        return []
    found = [Choice(number(step), view.address(at=step), step == view.at) for step in kept]
    return [*found, Choice("the end", view.address(), view.at is None)]


def _start(view: View) -> FilterGrid:
    scale = ", same scale" if view.scale == "common" else ""
    sheet = _sheet(view, "step0", "At the start", f"this run's own step 0, same places{scale}")
    kept = "This checkpoint came without the filters from before its training."
    return sheet or _none("step0", "At the start", MissingFilters("Not kept", kept))


def _now(view: View) -> FilterGrid:
    first = ", smoothest first" if view.sort == "smoothness" else ", largest first" if view.sort != "filter" else ""
    title = "Now" if view.at is None else f"At step {number(view.at)}"
    sheet = _sheet(view, "trained", title, f"sorted by {NAMES[view.sort]}{first}")
    assert sheet is not None  # a layer has its trained filters
    return sheet


def _sheet(view: View, panel: Panel, title: str, note: str) -> FilterGrid | None:
    """The filters of a panel, None if the checkpoint does not have it.

    They are in the order of the filters at the end of the training, so that a filter has the same place in all panels.
    """
    layer, sort = view.shown, view.sort
    pictures = layer.pixels(panel, view.scale)
    shown = layer.trained if panel == "trained" else layer.step0
    if pictures is None or shown is None:
        return None
    values = None if sort in ("filter", "norm") else layer.values(shown, sort)
    mark = "Δ " if sort == "change" else ""
    tiles = [
        _tile(title, pictures, shown, place, value="" if values is None else f"{mark}{number(float(values[place]), 2)}")
        for place in view.layer.order(sort)
    ]
    return _sheet_of(view, panel, title, note, shown, tiles)


def _tile(
    title: str, pictures: Pixels, of: LayerFilters, place: int, *, norm: bool = True, value: str = ""
) -> FilterTile:
    length = float(of.measures.norm[place])
    alt = f"{title}, filter {place}, norm {number(length)}"
    return FilterTile(place, data_address(pictures[place]), alt, number(length, 2) if norm else "", value)


def _sheet_of(view: View, id: str, title: str, note: str, of: LayerFilters, tiles: Sequence[FilterTile]) -> FilterGrid:
    found = of.smoothness
    noise = number(view.shown.noise["tv_ratio"])
    smooth = f"median total-variation ratio · {found.smooth_filters} of {found.filters} below 1.1 · noise {noise}"
    return FilterGrid(id, title, note, number(found.median), smooth, list(tiles))


def _none(id: str, title: str, missing: MissingFilters) -> FilterGrid:
    return FilterGrid(id, title, "", "", "", [], missing)


def _clustered(view: View) -> LayerFilters | None:
    return None if view.kmeans is None else view.kmeans.panel


def _kmeans(view: View) -> FilterGrid:
    """The centroids in the order in which they are stored, the largest clusters first; or why there are none."""
    title, found, panel = "K-means of whitened patches", view.kmeans, _clustered(view)
    if found is not None and panel is not None:
        scale = "one scale of their own" if view.scale == "common" else "each its own scale"
        pictures = kmeans_pixels(panel, view.scale)
        tiles = [_tile(title, pictures, panel, place, norm=False) for place in range(len(pictures))]
        note = f"of {found.gallery}; no network; unit length, {scale}"
        return _sheet_of(view, "kmeans", title, note, panel, tiles)
    if found is not None:
        text = f"Patches of {found.gallery} are being clustered: a few seconds, once."
        again = f"{view.address(at=view.at)}#kmeans"
        return _none("kmeans", title, MissingFilters("Being computed", text, again, "Look again"))
    channels = view.shown.trained.weights.shape[1]
    if channels != 3:
        text = f"Patches of photos have three colours; these filters look at {count(channels, 'channel')}."
        return _none("kmeans", title, MissingFilters("Not comparable", text))
    text = "Import a gallery to see what its patches give without a network."
    galleries = view.settings.url("/galleries")
    return _none("kmeans", title, MissingFilters("No images to take patches from", text, galleries, "Galleries"))


def _row(view: View, name: str, label: str, help: str) -> FilterMeasureRow:
    """One row of the table. The norms of centroids and of noise are left out: they were chosen, so they say nothing."""
    if name == "colourfulness" and view.shown.colour == "lab":
        help = LAB_COLOURS
    medians = view.medians
    values = [number(column[name]) for column in medians]
    if _clustered(view) is not None and name == "norm":
        values[-1] = "–"
    return FilterMeasureRow(label, help, [*values, "–" if name == "norm" else number(view.shown.noise[name])])
