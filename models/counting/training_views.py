"""What is shown of a counting network while it trains: the views of one image, and its measures. Free of torch."""

from collections.abc import Sequence

from models.counting.additivity import additivity

VIEWS = ("whole", "tile-1", "tile-2", "tile-3", "tile-4")  # D(x), then the tiles row by row
MEASURES = (  # on held-out images, in the order of their curves
    "held_out_loss",
    "held_out_pull",
    "held_out_push",
    "additivity_ratio",
    "r2_adding",
    "r2_averaging",
    "firing_units",
    "conv1_tv_ratio",
)


def tiles_total(totals: Sequence[float]) -> float:
    """What the four tiles count together, from the totals |phi|_1 of the VIEWS."""
    return sum(totals[1:])


def whole_over_tiles(totals: Sequence[float]) -> float | None:
    """The total of the whole over that of the tiles: 1 where counts add up; None where the tiles count nothing."""
    return additivity(totals[0], tiles_total(totals))
