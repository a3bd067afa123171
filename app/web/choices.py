"""The links of a segmented control, one of which stands for the page as it is shown now."""

from typing import NamedTuple


class Choice(NamedTuple):
    """One link of a segmented control; the macro `segmented` of _macros.html draws several."""

    text: str
    href: str
    current: bool
