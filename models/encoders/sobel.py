"""A fixed Sobel filter before AlexNet: the network sees the edges of a gray picture, and no colour.

Caron, Bojanowski, Joulin, Douze, "Deep Clustering for Unsupervised Learning of Visual Features", ECCV 2018,
https://arxiv.org/abs/1807.05520.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.encoders.alexnet import AlexNet, Norm
from models.encoders.receptive_field import Window

ACROSS = ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0))


class Sobel(nn.Module):
    """Gray by equal thirds, then the differences across and down: (B, 3, H, W) -> (B, 2, H, W). Never trained."""

    window = Window(kernel=3, stride=1, padding=1, ceil_mode=False)
    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        across = torch.tensor(ACROSS)
        self.register_buffer("weight", torch.stack([across, across.T])[:, None])  # (2, 1, 3, 3)

    def forward(self, pixels: Tensor) -> Tensor:
        return F.conv2d(pixels.mean(dim=1, keepdim=True), self.weight.to(pixels.dtype), padding=1)


class SobelAlexNet(nn.Sequential):
    """Sobel's two maps, then AlexNet as DeepCluster has it: (B, 3, H, W) -> (B, 256, h, w)."""

    def __init__(self, *, norm: Norm = "batch") -> None:
        parts: OrderedDict[str, nn.Module] = OrderedDict(sobel=Sobel())
        parts.update(AlexNet(padding=2, ceil_mode=False, norm=norm, channels=2).named_children())
        super().__init__(parts)

    def edges(self, pixels: Tensor) -> Tensor:
        """The two gradient maps: (B, 3, H, W) -> (B, 2, H, W)."""
        maps: Tensor = self.get_submodule("sobel")(pixels)
        return maps
