"""Weights before the first step.

He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", ICCV 2015, https://arxiv.org/abs/1502.01852.
"""

import torch
from torch import nn


def he(module: nn.Module, rng: torch.Generator) -> None:
    """Draw every conv and linear weight from N(0, 2 / fan_in) and set the biases to zero."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu", generator=rng)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def gaussian(weight: nn.Parameter, std: float, rng: torch.Generator) -> None:
    """Draw a layer's weights from N(0, std^2): the Caffe days used .01 for conv1."""
    nn.init.normal_(weight, std=std, generator=rng)
