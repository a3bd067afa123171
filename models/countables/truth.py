"""How many objects and parts a region of a scene holds, counted in two ways.

An object or part is *present* in a region if at least half of its whole shape is visible there; that gives whole
numbers. Its *fractional* count is the share of its visible pixels that lie in the region, for everything that is
present in the whole image: over any tiling these add up to exactly the number present, and a head across a line counts
.5 on each side.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from models.countables.masks import mask

Region = tuple[float, float, float, float]  # left, top, right, bottom in pixels of the stored image
Truth = Mapping[str, Any]


@dataclass(frozen=True)
class TruthCounts:
    """The numbers of each kind in a region. Kinds that the whole image lacks are left out; others may be 0."""

    present: dict[str, int]
    fractional: dict[str, Fraction]


def whole(truth: Truth) -> Region:
    """The region that is the whole image."""
    return 0, 0, float(truth["width"]), float(truth["height"])


def tiles(truth: Truth, x: float, y: float) -> tuple[Region, Region, Region, Region]:
    """The four tiles that an upright line at x and a level line at y make: by rows, left before right."""
    left, top, right, bottom = whole(truth)
    return (left, top, x, y), (x, top, right, y), (left, y, x, bottom), (x, y, right, bottom)


def count(truth: Truth, region: Region) -> TruthCounts:
    """Both counts of a region. A pixel belongs to the region that holds its middle, so tiles share none."""
    present, fractional = Counter[str](), dict[str, Fraction]()
    for thing in things(truth):
        kind = str(thing["kind"])
        seen, inside = _pixels(thing, region)
        present[kind] += 2 * inside >= thing["area"] > 0
        share = Fraction(inside, seen) if 2 * seen >= thing["area"] > 0 else Fraction(0)
        fractional[kind] = fractional.get(kind, Fraction(0)) + share
    return TruthCounts(dict(present), fractional)


def things(truth: Truth) -> Iterator[Mapping[str, Any]]:
    """Every object, each followed by its parts."""
    for found in truth["objects"]:
        yield found
        yield from found.get("parts", ())


def _pixels(thing: Mapping[str, Any], region: Region) -> tuple[int, int]:
    """How many visible pixels it has anywhere, and in the region."""
    left, top, right, bottom = thing["box"]
    lengths: Sequence[int] = thing["rle"]
    if not lengths:
        return 0, 0
    x0, y0, x1, y1 = (_first(edge) for edge in region)
    if x0 >= right or x1 <= left or y0 >= bottom or y1 <= top:
        return sum(lengths[1::2]), 0
    seen = mask(lengths, bottom - top, right - left)
    cut = seen[max(0, y0 - top) : max(0, y1 - top), max(0, x0 - left) : max(0, x1 - left)]
    return int(np.count_nonzero(seen)), int(np.count_nonzero(cut))


def _first(edge: float) -> int:
    """The first pixel whose middle lies at or beyond an edge."""
    return math.ceil(edge - 0.5)
