"""Downscaling by exactly two with four kernels that really differ, and per-image normalisation.

OpenCV's bilinear and area kernels are the same at a factor of two, so `linear` is the antialiased triangle (Pillow's);
`cubic` (a = -0.75) and `lanczos` (4 lobes) are OpenCV's, which do not widen with the factor.
"""

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

SMALLEST_STD = 1 / 255  # an empty crop must not be amplified into noise


def _lanczos(t: float, lobes: int = 4) -> float:
    return math.sin(math.pi * t) * math.sin(math.pi * t / lobes) * lobes / (math.pi * t) ** 2


@cache
def taps(kernel: str) -> tuple[float, ...]:
    """The filter of one axis, symmetric about the middle of an output pixel's two input pixels; it sums to one."""
    half = {
        "area": [1.0],
        "linear": [0.75, 0.25],
        "cubic": [0.59375, -0.09375],
        "lanczos": [_lanczos(t) for t in (0.5, 1.5, 2.5, 3.5)],
    }[kernel]
    total = 2 * sum(half)
    return tuple(value / total for value in [*reversed(half), *half])


def halve(images: Tensor, kernel: str) -> Tensor:
    """Downscale by two: (B, C, 2h, 2w) float -> (B, C, h, w); borders are replicated."""
    if kernel == "area":
        return F.avg_pool2d(images, 2)
    rows, columns = (_halving(kernel, side).to(images) for side in images.shape[2:])
    halved: Tensor = rows @ (images @ columns.t())  # depthwise convolution of so few channels takes nine times as long
    return halved


@cache
def _halving(kernel: str, side: int) -> Tensor:
    """What each of side / 2 output pixels takes from each of `side` input pixels along one axis, borders replicated."""
    weights = torch.zeros(side // 2, side, dtype=torch.double)
    pad = len(taps(kernel)) // 2 - 1
    for place, weight in enumerate(taps(kernel)):
        taken = (2 * torch.arange(side // 2) + place - pad).clamp(0, side - 1)
        weights[torch.arange(side // 2), taken] += weight
    return weights


def standardise(images: Tensor) -> Tensor:
    """Subtract each image's mean and divide by its standard deviation, over all its pixels and channels."""
    centred = images - images.mean(dim=(1, 2, 3), keepdim=True)
    length: Tensor = torch.linalg.vector_norm(centred, dim=(1, 2, 3), keepdim=True)  # `std` takes seven times as long
    return centred / (length / math.sqrt(centred[0].numel())).clamp_min(SMALLEST_STD)


def fit_square(image: Tensor, side: int) -> Tensor:
    """Bring a square image (3, s, s) uint8 to (3, side, side): antialiased, or as it is where it fits."""
    if image.shape[-1] == side:
        return image
    # In bytes: torch's own uint8 kernel takes a thirtieth of the time of the float one.
    return F.interpolate(image[None], size=(side, side), mode="bilinear", antialias=True, align_corners=False)[0]
