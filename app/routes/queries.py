"""The query strings of pages that ask about one image or a part of it, and links that change one parameter of them."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.deps import MAX_ID, MAX_NAME, box_from_text
from app.failures import BadQuery
from app.services.counting.service import Kernel
from app.services.galleries.seen import Which
from app.services.query_images import NAME
from app.services.search.service import NEIGHBOURS, SearchOptions
from app.services.search.side_by_side import BESIDE
from models.geometry import Box
from models.search.index import Metric

BoxQuery = Annotated[str | None, Query(max_length=200, description="x0,y0,x1,y1 in pixels of the stored image")]
LinesQuery = Annotated[str | None, Query(max_length=100, description="x,y: where two lines cut the image into tiles")]


def _empty_is_none(value: object) -> object:
    """Forms send every field, also those that were left empty."""
    return None if value == "" else value


Blank = BeforeValidator(_empty_is_none)
Name = Annotated[str | None, Field(max_length=MAX_NAME), Blank]
Row = Annotated[int | None, Field(ge=0, le=MAX_ID), Blank]
Share = Annotated[float | None, Field(gt=0, le=1), Blank]
UploadName = Annotated[str | None, Field(pattern=f"^({NAME.pattern})?$"), Blank]


class ImageParams(BaseModel):
    """An image of a gallery by `row`, or an `upload` by its name; `box` is a part of it, as x0,y0,x1,y1."""

    model_config = ConfigDict(extra="ignore")

    row: Row = None
    upload: UploadName = None
    box: Name = None
    shuffle: Annotated[int, Field(ge=0, le=MAX_ID)] = 0

    @property
    def corners(self) -> Box | None:
        """The box as numbers. Raises BadQuery."""
        return box_from_text(self.box)


class HowParams(BaseModel):
    """How to search. `layer` may also be `pixels` or `colours`; without it the best measured one is taken.

    `per_source=1`: at most one hit from each source picture; `same_source=1`: also hits from the query's own;
    `seen=all`: also rows that were seen in training; `copies=1`: near copies of a hit as hits of their own.
    """

    model_config = ConfigDict(extra="ignore")

    layer: Name = None
    k: Annotated[int, Field(ge=1, le=1000)] = NEIGHBOURS
    metric: Metric = "l2"
    per_source: bool = False
    same_source: bool = False
    seen: Which = "unseen"
    copies: bool = False

    @property
    def asked(self) -> SearchOptions:
        return SearchOptions(
            **{field.name: getattr(self, field.name) for field in fields(SearchOptions) if field.name != "beside"}
        )


class SearchParams(HowParams, ImageParams):
    """All parameters of a search page; `beside` names spaces whose results are shown below, separated by commas."""

    beside: Name = None

    @property
    def spaces(self) -> tuple[str, ...]:
        """The known spaces among those of `beside`, each once, in the order of the page."""
        wanted = (self.beside or "").split(",")
        return tuple(space for space in BESIDE if space in wanted)


class CountParams(ImageParams):
    """All parameters of a counting bench.

    `row` is a row of `gallery`; `area` asks for a centred crop with that share of the image's central square. `other`
    is the row of the image y in the loss, of the same gallery.
    """

    gallery: Name = None
    kernel: Kernel = "area"
    area: Share = None
    other: Row = None


def box_text(box: Box) -> str:
    """A box as text for the query string, with at most one decimal."""
    return ",".join(f"{corner:g}" for corner in (round(corner, 1) for corner in box))


def address(path: str, params: BaseModel, changes: Mapping[str, object]) -> str:
    """`path` with the parameters that differ from their defaults, after `changes`; a change to None drops one."""
    kept = {**params.model_dump(exclude_defaults=True), **changes}
    given = {name: int(value) if isinstance(value, bool) else value for name, value in kept.items()}
    query = urlencode({name: value for name, value in given.items() if value is not None}, safe=",")
    return f"{path}?{query}" if query else path


def lines_from_text(text: str | None) -> tuple[float, float] | None:
    """The two numbers of `x,y`, in pixels; None where there is no text. Raises BadQuery."""
    if not text:
        return None
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise BadQuery("bad_lines", "`lines` is two numbers: x,y.") from None
    if not (abs(x) < 1e9 and abs(y) < 1e9):
        raise BadQuery("bad_lines", "`lines` is two finite numbers: x,y.")
    return x, y
