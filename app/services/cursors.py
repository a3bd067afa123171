"""Cursors: where a list goes on, as the number of a row or a place that an answer gave out as text."""

import re

from app.failures import BadQuery


def position(cursor: str) -> int:
    """The number in a cursor. Raises BadQuery for one that was not given out here."""
    if not re.fullmatch(r"[0-9]{1,18}", cursor):
        raise BadQuery("bad_cursor", "This cursor is not one of ours: leave it out to begin at the start.")
    return int(cursor)
