"""Two halves of AlexNet side by side: one sees the lightness, the other the two colour channels, without connections.

Zhang, Isola, Efros, "Split-Brain Autoencoders", CVPR 2017, https://arxiv.org/abs/1611.09842.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.encoders.alexnet import AlexNet, Norm

LIGHT = 1  # channels of Lab that the first half sees; the second sees the others


class HalvesConv(nn.Conv2d):
    """A convolution of Lab whose first half of filters sees L alone, and whose second half sees a and b.

    The weight is (units, 3, k, k) like that of any first layer, so that it is kept, drawn and measured like any other.
    The weights of the channels that a half does not see are 0 and are not used.
    """

    def forward(self, input: Tensor) -> Tensor:
        half = self.out_channels // 2
        biases: tuple[Tensor | None, Tensor | None] = (None, None)
        if self.bias is not None:
            biases = (self.bias[:half], self.bias[half:])
        light = F.conv2d(input[:, :LIGHT], self.weight[:half, :LIGHT], biases[0], self.stride, self.padding)
        colours = F.conv2d(input[:, LIGHT:], self.weight[half:, LIGHT:], biases[1], self.stride, self.padding)
        return torch.cat([light, colours], dim=1)

    def settle(self) -> None:
        """Adjust weights drawn for three channels: 0 for channels that a half does not see, the rest scaled to its own
        fan-in.
        """
        half, channels = self.out_channels // 2, self.in_channels
        with torch.no_grad():
            self.weight[:half] *= (channels / LIGHT) ** 0.5
            self.weight[half:] *= (channels / (channels - LIGHT)) ** 0.5
            self.weight[:half, LIGHT:] = 0
            self.weight[half:, :LIGHT] = 0


class SplitAlexNet(AlexNet):
    """Lab (B, 3, H, W) -> (B, widths[4], ceil(H / 16), ceil(W / 16)): of every layer the first half is that of L."""

    conv1: HalvesConv

    def __init__(self, *, widths: Sequence[int] = (96, 256, 384, 384, 256), norm: Norm = "batch") -> None:
        super().__init__(widths=widths, padding=5, ceil_mode=False, norm=norm, groups=2, dense=True)
        self.conv1 = HalvesConv(3, widths[0], 11, stride=4, padding=5)
        self.conv1.settle()
