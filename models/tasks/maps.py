"""What tasks share that answer for each cell of a map: the pixels in question, and maps drawn as pictures.

Cell (y, x) of a dense AlexNet has its centre in pixel (16 y, 16 x), and that pixel is the one it has to predict.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from models.preprocessing import lab
from models.puzzles import PuzzlePicture
from models.tasks.base import Windows
from models.tasks.lab_colours import annealed_mean, to_rgb
from models.tasks.pictures import picture

STRIDE = 16
BATCH = 256
MIDDLE = 65.0  # lightness at which colours without one are drawn
COLOURED = 5.0  # a photo none of whose a and b is larger counts as gray


def cells(maps: Tensor) -> Tensor:
    """The pixels in the centres of the cells: (B, C, h, w) -> (B, C, ceil(h / 16), ceil(w / 16))."""
    return maps[..., ::STRIDE, ::STRIDE]


def rows(maps: Tensor) -> Tensor:
    """One row a cell: (B, C, h, w) -> (B h w, C)."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)


def drawn_large(maps: Tensor, side: int) -> Tensor:
    """Values of cells (B, C, n, n) at every pixel, linear between the centres: (B, C, side, side)."""
    reach = STRIDE * (maps.shape[-1] - 1) + 1
    large = F.interpolate(maps, size=(reach, reach), mode="bilinear", align_corners=True)
    return F.pad(large, (0, side - reach, 0, side - reach), mode="replicate")


def training_pixels(windows: Windows, crop: int) -> Iterator[Tensor]:
    """The target pixels of every training image's middle crop, as Lab (B, 3, n, n), in batches."""
    for indices in torch.split(torch.arange(len(windows.extents)), BATCH):
        corners = (windows.extents[indices] - crop).clamp(min=0) // 2
        yield lab(cells(windows.crops(indices, corners, corners, crop)).float() / 255)


def distribution(counts: Tensor) -> Tensor:
    """Counts (Q,) of pixels as probabilities; one extra pixel is shared among all bins, so that none is impossible."""
    return (counts + 1 / len(counts)) / (counts.sum() + 1)


def decoded(logits: Tensor, centres: Tensor, temperature: float) -> Tensor:
    """The prediction of one photo's logits (Q, n, n), as values of centres (Q, D): (1, D, n, n)."""
    return annealed_mean(logits.permute(1, 2, 0), centres, temperature).permute(2, 0, 1)[None]


def coloured(ab: Tensor) -> Tensor:
    """Which photos (B, 2, h, w) have colours, (B,)."""
    return ab.abs().amax(dim=(1, 2, 3)) > COLOURED


def photo(caption: str, light: Tensor, ab: Tensor) -> PuzzlePicture:
    """L (1, h, w) in 0..100 and a, b (2, h, w) as a picture."""
    return picture(caption, to_rgb(torch.cat([light, ab])[None].float())[0])


def gray(caption: str, light: Tensor) -> PuzzlePicture:
    """Lightness (1, h, w) in 0..100 without colours."""
    return photo(caption, light, light.new_zeros(2, *light.shape[1:]))


def flat(caption: str, ab: Tensor) -> PuzzlePicture:
    """Colours a, b (2, h, w) alone, all at one lightness."""
    return photo(caption, ab.new_full((1, *ab.shape[1:]), MIDDLE), ab)
