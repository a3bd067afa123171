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
    """The image asked about, with the part of it that its vector was computed from, and where it leads."""

    picture: Picture
    part: Box | None
    seen: bool
    whole: str
    count: str
    about: str
    others: str


@dataclass(frozen=True)
class SearchForm:
    """The form's fields. Empty are: `which`, where no image was seen in training; `region`, without a query."""

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
    """The neighbours: what they were found by, what was left out, and the ways to bring that back."""

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
    """Images to start from."""

    note: str
    tiles: list[Tile]
    others: str


@dataclass(frozen=True)
class SearchContext(PageContext):
    """The search page. `again`: seconds after which it asks again by itself, None where it need not."""

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
