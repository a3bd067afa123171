"""What a segmented control shows: links, of which one is where the page is now."""

from typing import NamedTuple


class Choice(NamedTuple):
    """One link of a segmented control; the macro `segmented` of _macros.html draws several."""

    text: str
    href: str
    current: bool
