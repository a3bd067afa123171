"""Residual networks: torchvision's own, for ImageNet and with the small stem of CIFAR.

He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, https://arxiv.org/abs/1512.03385.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

from torch import nn
from torchvision.models import ResNet
from torchvision.models.resnet import BasicBlock, Bottleneck


def resnet(
    *,
    block: Literal["basic", "bottleneck"],
    depths: Sequence[int],
    groups: int = 1,
    width_per_group: int = 64,
    stem: Literal["imagenet", "cifar"] = "imagenet",
    fc: Sequence[int] = (),
) -> ResNet:
    """torchvision's ResNet, wide ResNet or ResNeXt; its output is pooled (B, C), or what `fc` makes of it.

    `stem` "cifar" is a 3x3 convolution at stride 1 without pooling. `fc` are the widths of the layers on top: one for a
    classifier, more for a projection head with ReLUs between.
    """
    kind = BasicBlock if block == "basic" else Bottleneck
    network = ResNet(kind, list(depths), groups=groups, width_per_group=width_per_group)
    if stem == "cifar":
        network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        network.maxpool = nn.Identity()
    network.fc = _top(512 * kind.expansion, fc)
    return network


def _top(features: int, widths: Sequence[int]) -> nn.Module:
    if not widths:
        return nn.Identity()
    if len(widths) == 1:
        return nn.Linear(features, widths[0])
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for place, width in enumerate(widths):
        parts[str(2 * place)] = nn.Linear(features, width)
        if place + 1 < len(widths):
            parts[str(2 * place + 1)] = nn.ReLU()
        features = width
    return nn.Sequential(parts)
