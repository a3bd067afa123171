"""The row of numbers below the head of a page."""

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Stat:
    """One number: its name, a note beside it, and the address it links to; the last two may be empty."""

    label: str
    value: str | Markup
    note: str = ""
    href: str = ""
