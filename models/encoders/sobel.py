"""A fixed Sobel filter before AlexNet: the network sees the edges of a gray picture, and no colour.

Caron, Bojanowski, Joulin, Douze, "Deep Clustering for Unsupervised Learning of Visual Features", ECCV 2018,
https://arxiv.org/abs/1807.05520.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from models.encoders.alexnet import AlexNet, Norm

ACROSS = ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0))


class SobelAlexNet(nn.Sequential):
    """Gray by equal thirds, two gradient maps, then AlexNet as DeepCluster has it: (B, 3, H, W) -> (B, 256, h, w)."""

    def __init__(self, *, norm: Norm = "batch") -> None:
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            gray=nn.Conv2d(3, 1, 1, bias=False), sobel=nn.Conv2d(1, 2, 3, padding=1, bias=False)
        )
        trunk = AlexNet(padding=2, ceil_mode=False, norm=norm, channels=2)
        parts.update(trunk.named_children())
        super().__init__(parts)
        self.fix()

    def edges(self, pixels: Tensor) -> Tensor:
        """The two gradient maps: (B, 3, H, W) -> (B, 2, H, W)."""
        maps: Tensor = self.get_submodule("sobel")(self.get_submodule("gray")(pixels))
        return maps

    def fix(self) -> None:
        """Set the weights that are never trained; to be called after anything that draws all weights."""
        across = torch.tensor(ACROSS)
        with torch.no_grad():
            self.get_parameter("gray.weight").fill_(1 / 3)
            self.get_parameter("sobel.weight").copy_(torch.stack([across, across.T])[:, None])
        for name in ("gray.weight", "sobel.weight"):
            self.get_parameter(name).requires_grad_(False)
