"""What is truly in an image: counts of any region, the table of a tiling, outlines to draw over it."""

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
    """One kind in the table: in the whole image, in each of the four tiles, and in these together."""

    kind: str
    part: bool
    present: tuple[int, ...]  # whole, four tiles
    fractional: tuple[Fraction, ...]

    @property
    def present_sum(self) -> int:
        """What the tiles have of it, counted as integers: short by what a line cuts in two."""
        return sum(self.present[1:])

    @property
    def fractional_sum(self) -> Fraction:
        """What the tiles have of it; exactly the whole image's."""
        return sum(self.fractional[1:], Fraction(0))


@dataclass(frozen=True)
class Outline:
    """One object or part to be drawn: the `d` of an SVG path around what is seen of it."""

    id: str
    kind: str
    part: bool
    title: str
    path: str


@dataclass(frozen=True)
class TruthGrid:
    """The truth of one image under two lines: the table, and what to draw over the image."""

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
    """Reads what galleries know of the objects in their images."""

    def __init__(self, galleries: GalleriesService) -> None:
        self._galleries = galleries

    def known(self, gallery: str, row: int) -> bool:
        """Whether anybody said what is in the image. Raises NotFound for an unknown image."""
        self._galleries.image(gallery, row)
        return self._galleries.pack(gallery).truth(row) is not None

    def scene(self, gallery: str, row: int) -> Mapping[str, Any] | None:
        """What decided a generated scene."""
        self._galleries.image(gallery, row)
        return self._galleries.pack(gallery).scene(row)

    def truth(self, gallery: str, row: int) -> Mapping[str, Any]:
        """The objects of the image. Raises NotFound where nobody said what is in it."""
        self._galleries.image(gallery, row)
        truth = self._galleries.pack(gallery).truth(row)
        if truth is None:
            raise NotFound(
                "no_truth",
                "Nobody has said what is in this image: generated scenes and annotated sample crops have a truth.",
            )
        return truth

    def count(self, gallery: str, row: int, box: Region | None = None) -> TruthCounts:
        """What a region holds, the whole image without one. Raises NotFound."""
        truth = self.truth(gallery, row)
        return count(truth, whole(truth) if box is None else box)

    def grid(self, gallery: str, row: int, at: tuple[float, float] | None = None) -> TruthGrid:
        """The table of the four tiles that two lines make, in the middle unless told. Raises NotFound."""
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
    """Where the two lines lie: as asked, within the image; else in the middle."""
    width, height = float(truth["width"]), float(truth["height"])
    x, y = (width / 2, height / 2) if at is None else at
    return min(max(x, 0.0), width), min(max(y, 0.0), height)


def _lines(counted: list[TruthCounts]) -> tuple[TruthLine, ...]:
    kinds = sorted(counted[0].present, key=lambda kind: ORDER.index(kind) if kind in ORDER else len(ORDER))
    held = {"head", "critter"} & set(kinds)  # what other kinds are parts of
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
