"""The marks that were set by hand in the sample photos, and the part of them that a crop shows.

`annotations.json` holds ellipses in the photos' own pixels: centre, radii, angle in radians, clockwise. The 24 coins
have their outlines in `countables/coins.json`. A part's id is that of its object, a dot and a number.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from models.countables.coin import coins
from models.countables.masks import bounds, runs

COINS: Final = "coins"

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Mark:
    """One thing in a photo: an ellipse."""

    photo: str
    id: str
    kind: str
    x: float
    y: float
    rx: float
    ry: float
    angle: float = 0.0

    def shape(self, height: int, width: int) -> Mask:
        """The pixels of a photo of that size whose middles lie in it."""
        x = np.arange(width)[None, :] + 0.5 - self.x
        y = np.arange(height)[:, None] + 0.5 - self.y
        c, s = np.cos(self.angle), np.sin(self.angle)
        inside: Mask = ((x * c + y * s) / self.rx) ** 2 + ((y * c - x * s) / self.ry) ** 2 <= 1
        return inside


@lru_cache(1)
def marks() -> tuple[Mark, ...]:
    """Every ellipse; parts come after their object."""
    listed = json.loads(Path(__file__).with_name("annotations.json").read_text("utf-8"))
    return tuple(Mark(**entry) for entry in listed)


@lru_cache(8)
def shapes(photo: str, height: int, width: int) -> tuple[tuple[str, str, Mask], ...]:
    """Id, kind and pixels of all that is marked in a photo; empty for a photo in which nothing is."""
    if photo == COINS:
        return tuple((str(n), "coin", _polygon(coin.points(), height, width)) for n, coin in enumerate(coins()))
    return tuple((mark.id, mark.kind, mark.shape(height, width)) for mark in marks() if mark.photo == photo)


def truth(photo: str, size: tuple[int, int], left: int, top: int, side: int) -> dict[str, Any] | None:
    """The marks in a square of a photo, in the form of a scene's truth; None for a photo without marks.

    `size` is the photo's width and height. Of a shape, the part inside the square counts as visible.
    """
    width, height = size
    known = shapes(photo, height, width)
    if not known:
        return None
    objects: dict[str, dict[str, Any]] = {}
    for name, kind, shape in known:
        described = _described(name, kind, shape, shape[top : top + side, left : left + side])
        owner, _, number = name.partition(".")
        if described is None:
            continue
        if number and owner in objects:
            objects[owner]["parts"].append(described)
        else:
            objects[name] = described | {"depth": 0, "parts": []}
    return {"made": "annotated", "width": side, "height": side, "objects": list(objects.values())}


def _described(name: str, kind: str, shape: Mask, seen: Mask) -> dict[str, Any] | None:
    """The part of a shape that the square shows; None where it shows nothing."""
    box = bounds(seen)
    if box is None:
        return None
    left, top, right, bottom = box
    area, visible = int(shape.sum()), int(seen.sum())
    return {
        "id": name,
        "kind": kind,
        "box": list(box),
        "area": area,
        "visible": round(visible / area, 6),
        "rle": runs(seen[top:bottom, left:right]),
    }


def _polygon(points: npt.NDArray[np.float32], height: int, width: int) -> Mask:
    """The pixels that lie at least half inside a polygon."""
    times = 4
    picture = Image.new("L", (width * times, height * times))
    ImageDraw.Draw(picture).polygon([(float(x) * times, float(y) * times) for x, y in points], fill=255)
    return np.asarray(picture.resize((width, height), Image.Resampling.BOX)) >= 128
