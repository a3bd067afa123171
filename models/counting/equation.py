"""The counting equation on images: phi(Dx) against the sum of phi(T_j x)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.network import Network
from models.resampling import halve, standardise


def tiles(images: Tensor) -> Tensor:
    """Cut the 2x2 grid, row by row: (B, C, 2s, 2s) -> (B, 4, C, s, s)."""
    b, c, height, width = images.shape
    cells = images.reshape(b, c, 2, height // 2, 2, width // 2)
    return cells.permute(0, 2, 4, 1, 3, 5).reshape(b, 4, c, height // 2, width // 2)


def stack(pixels: Tensor, kernel: str, *, per_input: bool = False) -> Tensor:
    """D(x) and the four tiles of normalised crops: (B, 3, 2s, 2s) float in 0..1 -> (B, 5, 3, s, s).

    The paper normalises "the image": here the crop, before D and T_j, so that all five share one affine map;
    `per_input` normalises each of the five by itself instead (it amplifies flat tiles).
    """
    if not per_input:
        pixels = standardise(pixels)
    views = torch.cat([halve(pixels, kernel)[:, None], tiles(pixels)], dim=1)  # (B, 5, 3, s, s)
    return standardise(views.flatten(0, 1)).view_as(views) if per_input else views


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
