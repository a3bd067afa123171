"""Colours as lightness and two opponents (CIE L*a*b*, white D65), and the ab bins that colorization predicts.

Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016, https://arxiv.org/abs/1603.08511. The paper has 313 bins
in gamut at grid 10; nearest centres of the sRGB cube at 86 levels a channel give 261.
"""

from functools import cache

import torch
from torch import Tensor

GRID = 10
PAPER_BINS = 313
TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
WHITE = (0.950456, 1.0, 1.088754)  # D65: the sums of the rows above
EDGE = 6 / 29


def to_lab(pixels: Tensor) -> Tensor:
    """sRGB (B, 3, h, w) in 0..1 -> L in 0..100, a and b in about -108..98."""
    linear = torch.where(pixels > 0.04045, ((pixels + 0.055) / 1.055).clamp_min(0) ** 2.4, pixels / 12.92)
    matrix = pixels.new_tensor(TO_XYZ) / pixels.new_tensor(WHITE).view(3, 1)
    xyz = torch.einsum("ij,bjhw->bihw", matrix, linear)
    root = torch.where(xyz > EDGE**3, xyz.clamp_min(1e-9) ** (1 / 3), xyz / (3 * EDGE**2) + 4 / 29)
    x, y, z = root.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def to_rgb(lab: Tensor) -> Tensor:
    """L, a, b (B, 3, h, w) -> sRGB in 0..1, clipped where the colour is out of gamut."""
    light, a, b = lab.unbind(1)
    y = (light + 16) / 116
    root = torch.stack([y + a / 500, y, y - b / 200], dim=1)
    xyz = torch.where(root > EDGE, root**3, 3 * EDGE**2 * (root - 4 / 29))
    matrix = torch.linalg.inv(lab.new_tensor(TO_XYZ) / lab.new_tensor(WHITE).view(3, 1))
    linear = torch.einsum("ij,bjhw->bihw", matrix, xyz).clamp(0, 1)
    return torch.where(linear > 0.0031308, 1.055 * linear.clamp_min(1e-9) ** (1 / 2.4) - 0.055, 12.92 * linear)


@cache
def ab_bins(levels: int = 86) -> Tensor:
    """Centres (Q, 2) of the grid's cells that hold a colour of the sRGB cube, sampled at `levels` a channel."""
    steps = torch.linspace(0, 1, levels)
    cube = torch.cartesian_prod(steps, steps, steps).t().reshape(1, 3, -1, 1)
    cells = (to_lab(cube)[0, 1:, :, 0].t() / GRID).round()
    return torch.unique(cells, dim=0) * GRID


def soft_code(ab: Tensor, centres: Tensor, neighbours: int = 5, sigma: float = 5.0) -> tuple[Tensor, Tensor]:
    """Nearest bins of colours (N, 2) and their weights, (N, neighbours) each: Gaussian of the distance, sum 1."""
    distance, places = torch.cdist(ab, centres).topk(neighbours, largest=False)
    return places, torch.softmax(-(distance**2) / (2 * sigma**2), dim=1)


def rebalancing(shares: Tensor, mix: float = 0.5) -> Tensor:
    """Weights (Q,) from the smoothed shares p (Q,) of the bins: 1 / ((1 - mix) p + mix / Q), scaled to E_p[w] = 1."""
    weights = 1 / ((1 - mix) * shares + mix / len(shares))
    return weights / (shares * weights).sum()


def annealed_mean(logits: Tensor, centres: Tensor, temperature: float = 0.38) -> Tensor:
    """Colours (..., 2) of distributions over the bins (..., Q), between mean (1) and mode (towards 0)."""
    return torch.softmax(logits / temperature, dim=-1) @ centres
