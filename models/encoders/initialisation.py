"""Weights before the first step.

He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", ICCV 2015, https://arxiv.org/abs/1502.01852.
"""

from collections.abc import Callable

import torch
from torch import nn

TRIES, CLOSE = 60, 1e-3


def he(module: nn.Module, rng: torch.Generator) -> None:
    """Draw every conv and linear weight from N(0, 2 / fan_in) and set the biases to zero."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu", generator=rng)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def gaussian(weight: nn.Parameter, std: float, rng: torch.Generator) -> None:
    """Draw a layer's weights from N(0, std^2), as Caffe did with a deviation of .01 for conv1."""
    nn.init.normal_(weight, std=std, generator=rng)


def uniform(module: nn.Module, rng: torch.Generator) -> None:
    """Draw the weights and biases of every linear layer from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), PyTorch's default."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            bound = part.in_features**-0.5
            nn.init.uniform_(part.weight, -bound, bound, generator=rng)
            nn.init.uniform_(part.bias, -bound, bound, generator=rng)


def scale_to(weight: nn.Parameter, squared_norm: Callable[[], float], wanted: float) -> float:
    """Scale `weight` until the squared norm it leads to is `wanted`; returns the factor. Raises ValueError.

    A ReLU network with zero biases is homogeneous in its first weights, so that one scaling does; others take more.
    """
    drawn, factor = weight.detach().clone(), 1.0
    for _ in range(TRIES):
        found = squared_norm()
        if not 0 < found < float("inf"):
            break
        if abs(found / wanted - 1) < CLOSE:
            return factor
        factor *= (wanted / found) ** 0.5
        with torch.no_grad():
            weight.copy_(drawn * factor)  # once, so that multiplying by the factor gives these very weights again
    raise ValueError(f"no scale of conv1 makes the squared norm of the counts {wanted:g}; it stays at {found:g}")
