"""From a step's windows to the crops of a task: mirrored, at several scales, normalised; whole batches at once."""

import torch
from torch import Tensor
from torch.nn import functional as F

MEAN = (0.485, 0.456, 0.406)  # of ImageNet's pixels in 0..1
STD = (0.229, 0.224, 0.225)


def every_window(pixels: Tensor, side: int) -> Tensor:
    """All windows, as a view: (B, C, h, w) -> (B, C, h - side + 1, w - side + 1, side, side).

    Taking some by their corners copies whole rows, five times as fast as a gather of pixels.
    """
    return pixels.unfold(2, side, 1).unfold(3, side, 1)


def mirror(pixels: Tensor, rng: torch.Generator) -> Tensor:
    """Mirror half of the images (B, C, h, w) uint8."""
    return mirrored(pixels, torch.rand(len(pixels), generator=rng) < 0.5)


def mirrored(pixels: Tensor, which: Tensor) -> Tensor:
    """Mirror those images (B, C, h, w) uint8 for which `which` (B,) is true."""
    bits = (which.to(pixels.device, torch.uint8) * 255).view(-1, 1, 1, 1)  # `where` on bytes takes four times as long
    return pixels ^ ((pixels ^ pixels.flip(-1)) & bits)


def by_mean_and_std(pixels: Tensor) -> Tensor:
    """Pixels (B, 3, h, w) in 0..1 less ImageNet's mean, over its deviation."""
    mean, std = (pixels.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return (pixels - mean).div_(std)


def resized_crops(pixels: Tensor, side: int, least: float, rng: torch.Generator) -> Tensor:
    """Crops that cover `least` to all of the square, sides in ratios of 3:4 to 4:3: (B, C, S, S) -> (B, C, side, side).

    Bilinear without antialiasing: most crops are enlarged, and none is brought down by more than S / side.
    """
    count = len(pixels)
    area, ratio, x, y = torch.rand(4, count, generator=rng)
    share = least + (1 - least) * area
    shape = torch.exp((2 * ratio - 1) * torch.log(torch.tensor(4 / 3)))
    width = (share * shape).sqrt().clamp(max=1)
    height = (share / shape).sqrt().clamp(max=1)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = width, height
    theta[:, 0, 2], theta[:, 1, 2] = (2 * x - 1) * (1 - width), (2 * y - 1) * (1 - height)
    grid = F.affine_grid(theta.to(pixels.device), [count, pixels.shape[1], side, side], align_corners=False)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)


def without_green(tiles: Tensor) -> Tensor:
    """Pixels (B, n, 3, h, w) without their part along green against magenta: I - a a^T / (a^T a), a = (-1, 2, -1).

    Doersch, Gupta, Efros, ICCV 2015, https://arxiv.org/abs/1505.05192: lenses bend green differently from red and blue.
    """
    axis = tiles.new_tensor((-1.0, 2.0, -1.0))
    keep = torch.eye(3, dtype=tiles.dtype, device=tiles.device) - torch.outer(axis, axis) / axis.dot(axis)
    return torch.einsum("kc,bnchw->bnkhw", keep, tiles)
