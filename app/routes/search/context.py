"""What the search page shows: the variables of search.html."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.routes.pictures import Picture, Tile
from app.routes.search.rows import Option, ShownRow
from app.routes.search.table import Table
from app.services.galleries.seen import Seen
from app.web.frame import PageContext
from app.web.waiting import Waiting
from models.geometry import Box


@dataclass(frozen=True)
class QueryCard:
    """The image that is asked about; `part` is the box of it that its vector was computed from.

    `whole` leads to the search without a box, `count` to the counting bench, `about` to the page of the image, `others`
    to images to choose from; each is empty if there is no such page. `seen`: the image was used in training.
    """

    picture: Picture
    part: Box | None
    seen: bool
    whole: str
    count: str
    about: str
    others: str


@dataclass(frozen=True)
class SearchForm:
    """The fields of the form. `hidden` are sent along, `why` says why this layer is chosen.

    `which` is whether rows seen in training are left out, empty if none were; `sources`: the gallery knows which images
    come from the same source picture. `region` explains the box, empty without a query.
    """

    action: str
    hidden: list[tuple[str, object]]
    layers: list[tuple[str, str]]
    layer: str
    why: str
    metric: str
    k: int
    which: str
    sources: bool
    same_source: bool
    per_source: bool
    copies: bool
    box: str
    region: str


@dataclass(frozen=True)
class FoundCard:
    """The neighbours: how they were found, what was left out, and links that bring it back.

    `worse` says at what the space is worse than raw pixels, empty if at nothing. `own_source` leads to a search that
    includes images of the query's own source. `copies_wait`: near copies are still being looked for. `unseen`: rows
    seen in training are left out; `all_rows` and `unseen_rows` switch that.
    """

    title: str
    note: str
    distance: str
    warnings: list[str]
    worse: str
    tiles: list[Tile]
    how: str
    own_source: str
    copies_wait: bool
    unseen: bool
    all_rows: str
    unseen_rows: str


@dataclass(frozen=True)
class SearchStart:
    """Images to start from; `others` leads to other ones."""

    note: str
    tiles: list[Tile]
    others: str


@dataclass(frozen=True)
class SearchContext(PageContext):
    """The search page. `again` is the number of seconds after which it reloads itself, None if it does not.

    `busy` is given while the network is being loaded. `twin` is the address of the JSON, `drop` the address that an
    uploaded image is sent to, `measured` that of the measurements. `options` are the spaces that can be shown below the
    neighbours, `beside` those that are. `measuring`: the spaces are still being measured.
    """

    template: ClassVar[str] = "search.html"
    scan: str
    scan_page: str
    gallery: str
    checkpoint: str
    others: list[tuple[str, str]]
    busy: Waiting | None
    again: int | None
    lead: str
    twin: str
    drop: str
    query: QueryCard | None
    how: SearchForm
    found: FoundCard | None
    seen: Seen
    space: str
    options: Sequence[Option]
    beside: Sequence[ShownRow]
    start: SearchStart | None
    table: Table | None
    measuring: bool
    measured: str
