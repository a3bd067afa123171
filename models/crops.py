"""Crops of images in memory: the square that the conv trunk is shown, and the region that the count path reads."""

from torch import Tensor

from models.card import Preprocess
from models.geometry import Box, central_square, count_crop, trunk_box
from models.resampling import fit_square


def crop_image(image: Tensor, box: Box, side: int) -> tuple[Tensor, bool]:
    """The square `box` of an image (3, H, W) uint8 at `side` pixels, and whether it had to be enlarged."""
    x0, y0, x1, y1 = (int(value) for value in box)
    return fit_square(image[:, y0:y1, x0:x1], side), x1 - x0 < side


def count_view(image: Tensor, how: Preprocess, box: Box | None = None) -> tuple[Tensor, Box, bool]:
    """What the count path reads of an image (3, H, W): the crop (3, crop, crop), its box, whether it was enlarged."""
    square = count_crop(image.shape[2], image.shape[1], crop=how.crop, region=how.region, box=box)
    crop, enlarged = crop_image(image, square, how.crop)
    return crop, square, enlarged


def trunk_square(image: Tensor, how: Preprocess, *, whole: bool = False) -> tuple[Tensor, Box, bool]:
    """What the conv trunk reads of an image (3, H, W): its native central square, or the middle `trunk_size` of it.

    A square smaller than the network's smallest input is enlarged to it, and said so; `whole` brings the whole square
    to that size instead of taking its middle.
    """
    size = None if whole else how.trunk_size
    box = trunk_box(image.shape[2], image.shape[1], size=size, resize=how.resize)
    x0, y0, x1, y1 = (int(edge) for edge in box)
    side, least = x1 - x0, how.trunk_size or how.size
    return fit_square(image[:, y0:y1, x0:x1], how.trunk_size or max(side, least)), box, side < least


def region(image: Tensor, side: int, *, enlarge: bool = False) -> Tensor:
    """The central square of an image (3, H, W), brought down to `side` where it is larger: (3, s, s), s <= side.

    With `enlarge` smaller ones are brought up to it.
    """
    box = central_square(image.shape[2], image.shape[1])
    return crop_image(image, box, side if enlarge else min(side, int(box[2] - box[0])))[0]


def centre(square: Tensor, crop: int) -> Tensor:
    """The middle of a region, as inference reads it: (3, s, s) -> (3, crop, crop)."""
    margin = (square.shape[-1] - crop) // 2
    return square[:, margin : margin + crop, margin : margin + crop]
