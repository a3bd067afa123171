"""The row of numbers below the head of a page."""

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Stat:
    """One number with its name, what belongs to it, and where it leads."""

    label: str
    value: str | Markup
    note: str = ""
    href: str = ""
