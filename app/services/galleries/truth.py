"""The known objects of an image: counts in any region, the table of its four tiles, outlines to draw over it."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from app.failures import NotFound
from app.services.galleries.service import GalleriesService
from models.countables.masks import mask
from models.countables.outlines import path
from models.countables.truth import Region, TruthCounts, count, things, tiles, whole

ORDER: Final = ("critter", "head", "eye", "nose", "paw", "coin", "ball", "leaf", "wheel")
PARTS: Final = ("head", "eye", "nose", "paw")
TILES: Final = ("top left", "top right", "bottom left", "bottom right")


@dataclass(frozen=True)
class TruthLine:
    """One kind of object in the table: its counts in the whole image, then in each of the four tiles.

    `present` counts objects that are visible in the region by at least half; `fractional` adds up the visible share of
    each object that lies in it. `part` says that the kind is a part of another one, as an eye is of a head.
    """

    kind: str
    part: bool
    present: tuple[int, ...]  # whole, four tiles
    fractional: tuple[Fraction, ...]

    @property
    def present_sum(self) -> int:
        """The sum of `present` over the tiles; smaller than that of the whole image where a line cuts an object."""
        return sum(self.present[1:])

    @property
    def fractional_sum(self) -> Fraction:
        """The sum of `fractional` over the tiles; exactly that of the whole image."""
        return sum(self.fractional[1:], Fraction(0))


@dataclass(frozen=True)
class Outline:
    """The outline of an object or part: `path` is the `d` of an SVG path around its visible pixels."""

    id: str
    kind: str
    part: bool
    title: str
    path: str


@dataclass(frozen=True)
class TruthGrid:
    """The truth of one image that a vertical line at `x` and a horizontal one at `y` cut into four tiles, in pixels.

    `annotated` says that people marked the objects; `scene` is what decided a generated scene, None for other images.
    """

    gallery: str
    row: int
    width: int
    height: int
    x: float
    y: float
    annotated: bool
    scene: Mapping[str, Any] | None
    lines: tuple[TruthLine, ...]
    outlines: tuple[Outline, ...]


class TruthService:
    """Reads the known objects of images in galleries."""

    def __init__(self, galleries: GalleriesService) -> None:
        self._galleries = galleries

    def known(self, gallery: str, row: int) -> bool:
        """Whether the objects of the image are known. Raises NotFound for an unknown image."""
        self._galleries.image(gallery, row)
        return self._galleries.pack(gallery).truth(row) is not None

    def scene(self, gallery: str, row: int) -> Mapping[str, Any] | None:
        """The settings that a generated scene was drawn from; None for other images. Raises NotFound."""
        self._galleries.image(gallery, row)
        return self._galleries.pack(gallery).scene(row)

    def truth(self, gallery: str, row: int) -> Mapping[str, Any]:
        """The objects of the image. Raises NotFound where they are not known."""
        self._galleries.image(gallery, row)
        truth = self._galleries.pack(gallery).truth(row)
        if truth is None:
            raise NotFound(
                "no_truth",
                "Nobody has said what is in this image: generated scenes and annotated sample crops have a truth.",
            )
        return truth

    def count(self, gallery: str, row: int, box: Region | None = None) -> TruthCounts:
        """The counts in a region, or in the whole image where `box` is None. Raises NotFound."""
        truth = self.truth(gallery, row)
        return count(truth, whole(truth) if box is None else box)

    def grid(self, gallery: str, row: int, at: tuple[float, float] | None = None) -> TruthGrid:
        """The truth of the four tiles that two lines make; `at` is where they cross, None is the middle.

        Raises NotFound.
        """
        truth = self.truth(gallery, row)
        x, y = lines_of(truth, at)
        counted = [count(truth, region) for region in (whole(truth), *tiles(truth, x, y))]
        return TruthGrid(
            gallery=gallery,
            row=row,
            width=int(truth["width"]),
            height=int(truth["height"]),
            x=x,
            y=y,
            annotated=truth.get("made") == "annotated",
            scene=self.scene(gallery, row),
            lines=_lines(counted),
            outlines=tuple(_outline(thing) for thing in things(truth) if any(thing["rle"][1::2])),
        )


def lines_of(truth: Mapping[str, Any], at: tuple[float, float] | None) -> tuple[float, float]:
    """The x and y of the two lines in pixels: as asked but inside the image, or in the middle."""
    width, height = float(truth["width"]), float(truth["height"])
    x, y = (width / 2, height / 2) if at is None else at
    return min(max(x, 0.0), width), min(max(y, 0.0), height)


def _lines(counted: list[TruthCounts]) -> tuple[TruthLine, ...]:
    kinds = sorted(counted[0].present, key=lambda kind: ORDER.index(kind) if kind in ORDER else len(ORDER))
    held = {"head", "critter"} & set(kinds)  # the kinds that have parts
    return tuple(
        TruthLine(
            kind=kind,
            part=bool(held) and kind in PARTS and (kind != "head" or "critter" in kinds),
            present=tuple(found.present[kind] for found in counted),
            fractional=tuple(found.fractional[kind] for found in counted),
        )
        for kind in kinds
    )


def _outline(thing: Mapping[str, Any]) -> Outline:
    left, top, right, bottom = thing["box"]
    seen = mask(thing["rle"], bottom - top, right - left)
    part = "." in thing["id"]
    title = f"{thing['kind']}, {round(100 * thing['visible'])} % of it seen"
    return Outline(thing["id"], thing["kind"], part, title, path(seen, left, top))
