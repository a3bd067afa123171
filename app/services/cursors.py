"""Cursors: texts that say where the next page of a list begins, by the number of a row or a place in the list."""

import re

from app.failures import BadQuery


def position(cursor: str) -> int:
    """The number in a cursor. Raises BadQuery for a text that no page can have given."""
    if not re.fullmatch(r"[0-9]{1,18}", cursor):
        raise BadQuery("bad_cursor", "This cursor is not one of ours: leave it out to begin at the start.")
    return int(cursor)
