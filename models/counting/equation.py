"""The counting equation on images: phi(Dx) against the sum of phi(T_j x)."""

from dataclasses import dataclass

from torch import Tensor

from models.card import Preprocess
from models.geometry import Box, count_crop, trunk_box
from models.network import Network
from models.resampling import fit_square
from models.tasks.counting import stack


@dataclass(frozen=True)
class Equation:
    """Count vectors of B images, float32 on the CPU: `whole` (B, K) = phi(Dx), `tiles` (B, 4, K) = phi(T_j x)."""

    whole: Tensor
    tiles: Tensor

    @property
    def total(self) -> Tensor:
        return self.tiles.sum(dim=1)  # (B, 4, K) -> (B, K)


def views(network: Network, crops: Tensor, kernel: str = "area") -> Tensor:
    """Crops (B, 3, crop, crop) uint8 -> D(x) and the four tiles, normalised as in training: (B, 5, 3, s, s)."""
    pixels = crops.to(network.device, non_blocking=True).float() / 255
    return stack(pixels, kernel, per_input=network.card.preprocess.normalise == "per_input")


def count_crops(network: Network, crops: Tensor, kernel: str = "area") -> Equation:
    """Both sides of the equation for crops (B, 3, crop, crop) uint8."""
    return count_views(network, views(network, crops, kernel))


def count_views(network: Network, shown: Tensor) -> Equation:
    """Both sides of the equation for views (B, 5, 3, s, s)."""
    counts = network.run_counts(shown.flatten(0, 1)).float().cpu().view(len(shown), 5, -1)  # (5 B, K) -> (B, 5, K)
    return Equation(counts[:, 0], counts[:, 1:])


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


def squared_residual(equation: Equation) -> Tensor:
    """|phi(Dx) - sum_j phi(T_j x)|^2 of each image: (B,)."""
    return (equation.whole - equation.total).square().sum(dim=1)
