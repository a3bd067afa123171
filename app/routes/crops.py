"""Shows parts of images without JavaScript: a frame that cuts off, and the whole image placed in it by percentages."""

from dataclasses import dataclass

from app.routes.pictures import ImageAddress
from app.services.units.images import TopImage
from app.settings import Settings
from models.geometry import Box

THUMBNAIL = 128  # longer side of a stored thumbnail, pixels
SHARP = 24  # pixels; smaller boxes are enlarged without smoothing


@dataclass(frozen=True)
class Crop:
    """A box of an image, shown alone; `src` is the address of the image.

    `frame` is the style attribute of the frame within its square, `place` that of the image within the frame. `sharp`:
    the box is so small that its pixels are shown as squares.
    """

    src: str
    frame: str
    place: str
    sharp: bool


@dataclass(frozen=True)
class Shot:
    """An image of a unit as pages show it: the whole image with its boxes, and one box cut out.

    `value` is the unit's, at the cell (y, x) of its map; a layer without a map has no cell. `box` is all that the cell
    sees, in pixels of the image; `region` is the part of it that matters to the unit, None where that is not known.
    `fires`: the value is above 0; else there is no box to draw. `seen`: the image was used in training.
    """

    row: int
    value: float
    cell: tuple[int, int] | None
    width: int
    height: int
    box: Box
    region: Box | None
    fires: bool
    image: str
    href: str
    name: str
    crop: Crop
    seen: bool = False


def shot(gallery: str, found: TopImage, settings: Settings, *, shown: int, tight: bool = True) -> Shot:
    """An image whose crop will be `shown` pixels large; it is cut from the thumbnail if that has enough pixels.

    `tight`: the crop is the part that matters to the unit, where that is known; else all that its cell sees.
    """
    cut = found.region if tight and found.region is not None else found.box
    known, at = found.known, ImageAddress(settings, gallery, found.row)
    width, height = known.jpeg_width, known.jpeg_height
    side = max(cut[2] - cut[0], cut[3] - cut[1])
    small = side * min(1.0, THUMBNAIL / max(width, height)) >= shown
    src = at.thumbnail if small else at.image
    return Shot(
        row=found.row,
        value=found.value,
        cell=None if found.y is None or found.x is None else (found.y, found.x),
        width=width,
        height=height,
        box=found.box,
        region=found.region,
        fires=found.value > 0,
        image=at.image,
        href=at.page,
        name=known.label or f"row {found.row}",
        crop=crop(src, cut, width, height),
        seen=found.seen,
    )


def crop(src: str, box: Box, width: int, height: int) -> Crop:
    """The box of an image of (width, height) pixels, as large as fits a square."""
    x0, y0, x1, y1 = box
    wide, high = max(x1 - x0, 1e-6), max(y1 - y0, 1e-6)
    side = max(wide, high)
    return Crop(
        src=src,
        frame=f"width:{_percent(wide, side)};height:{_percent(high, side)}",
        place=f"width:{_percent(width, wide)};height:{_percent(height, high)};"
        f"left:{_percent(-x0, wide)};top:{_percent(-y0, high)}",
        sharp=side < SHARP,
    )


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.2f}%"
