"""Regions of an image as addresses carry them: a box, or two lines that cut it into four tiles."""

from typing import Annotated

from fastapi import Query

from app.failures import BadQuery

BoxQuery = Annotated[str | None, Query(max_length=200, description="x0,y0,x1,y1 in pixels of the stored image")]
LinesQuery = Annotated[str | None, Query(max_length=100, description="x,y: where two lines cut the image into tiles")]


def lines_from_text(text: str | None) -> tuple[float, float] | None:
    """`x,y` in pixels. Raises BadQuery."""
    if not text:
        return None
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise BadQuery("bad_lines", "`lines` is two numbers: x,y.") from None
    if not (abs(x) < 1e9 and abs(y) < 1e9):
        raise BadQuery("bad_lines", "`lines` is two finite numbers: x,y.")
    return x, y
