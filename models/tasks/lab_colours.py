"""Colours as classes: the bins of ab within sRGB, a colour's soft code, and weights that favour rare colours.

Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016, https://arxiv.org/abs/1603.08511. The paper counts 313
bins in gamut at grid 10 and ships them as a file; computed as cells that hold a colour of the sRGB cube there are 261.
"""

from functools import cache

import torch
from torch import Tensor

from models.preprocessing import WHITE, XYZ, lab

GRID = 10
PAPER_BINS = 313
EDGE = 6 / 29


def to_rgb(colours: Tensor) -> Tensor:
    """L, a, b (B, 3, h, w) -> sRGB in 0..1, clipped where the colour is out of gamut; the inverse of `lab`."""
    light, a, b = colours.unbind(1)
    y = (light + 16) / 116
    root = torch.stack([y + a / 500, y, y - b / 200], dim=1)
    xyz = torch.where(root > EDGE, root**3, 3 * EDGE**2 * (root - 4 / 29))
    matrix = torch.linalg.inv(colours.new_tensor(XYZ) / colours.new_tensor(WHITE).view(3, 1))
    linear = torch.einsum("ij,bjhw->bihw", matrix, xyz).clamp(0, 1)
    return torch.where(linear > 0.0031308, 1.055 * linear.clamp_min(1e-9) ** (1 / 2.4) - 0.055, 12.92 * linear)


@cache
def ab_bins(levels: int = 86) -> Tensor:
    """Centres (Q, 2) of the grid's cells that hold a colour of the sRGB cube, sampled at `levels` a channel."""
    steps = torch.linspace(0, 1, levels)
    cube = torch.cartesian_prod(steps, steps, steps).t().reshape(1, 3, -1, 1)
    cells = (lab(cube)[0, 1:, :, 0].t() / GRID).round()
    found: Tensor = torch.unique(cells, dim=0) * GRID
    return found


def soft_code(ab: Tensor, centres: Tensor, neighbours: int = 5, sigma: float = 5.0) -> tuple[Tensor, Tensor]:
    """Nearest bins of colours (N, 2), the nearest first, and their weights, (N, neighbours) each: Gaussian, sum 1."""
    distance, places = torch.cdist(ab, centres).topk(neighbours, largest=False)
    return places, torch.softmax(-(distance**2) / (2 * sigma**2), dim=1)


def smoothed(shares: Tensor, centres: Tensor, sigma: float = 5.0) -> Tensor:
    """Shares (Q,) of the bins, each replaced by a Gaussian mean over its neighbours in ab, brought to sum 1."""
    kernel = torch.exp(-(torch.cdist(centres, centres) ** 2) / (2 * sigma**2)).to(shares.dtype)
    means: Tensor = kernel @ shares / kernel.sum(dim=1)
    return means / means.sum()


def rebalancing(shares: Tensor, mix: float = 0.5) -> Tensor:
    """Weights (Q,) from the smoothed shares p (Q,) of the bins: 1 / ((1 - mix) p + mix / Q), scaled to E_p[w] = 1."""
    weights = 1 / ((1 - mix) * shares + mix / len(shares))
    return weights / (shares * weights).sum()


def annealed_mean(logits: Tensor, centres: Tensor, temperature: float = 0.38) -> Tensor:
    """Values (..., D) of distributions over centres (Q, D), logits (..., Q): between mean (1) and mode (towards 0)."""
    return torch.softmax(logits / temperature, dim=-1) @ centres
