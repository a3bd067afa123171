"""AlexNet's five convolutions, in the geometries that the papers of this field use.

Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", NeurIPS 2012.
Caffe rounds pooling up: with floor pooling a 114 px input ends in 2x2 instead of the counting paper's 3x3 cells.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

from torch import nn

Norm = Literal["none", "batch", "batch_plain"]
POOLED = (1, 2, 5)  # max-pooling follows these convolutions
WIDTHS = (96, 256, 384, 384, 256)


class AlexNet(nn.Sequential):
    """conv1-conv5 with ReLU and max-pooling: (B, channels, H, W) -> (B, widths[4], h, w).

    112, 114 px at stride 4 and 72 px at stride 2 all end in 3x3 cells. No dropout. `norm` puts batch normalisation
    between each convolution and its ReLU: `batch` with scale and shift, `batch_plain` without. `groups` are those of
    conv2 to conv5. `dense` keeps a map, for tasks that answer everywhere: pools are padded by a cell, and the last one
    moves by one; with a padding of 5 and a stride of 4 cell c has its centre in pixel 16 c.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int] = WIDTHS,
        stride: int = 4,
        padding: int = 0,
        ceil_mode: bool = True,
        norm: Norm = "none",
        channels: int = 3,
        groups: int = 1,
        dense: bool = False,
    ) -> None:
        one, two, three, four, five = widths
        convolutions = (
            nn.Conv2d(channels, one, 11, stride=stride, padding=padding),
            nn.Conv2d(one, two, 5, padding=2, groups=groups),
            nn.Conv2d(two, three, 3, padding=1, groups=groups),
            nn.Conv2d(three, four, 3, padding=1, groups=groups),
            nn.Conv2d(four, five, 3, padding=1, groups=groups),
        )
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        for place, convolution in enumerate(convolutions, start=1):
            parts[f"conv{place}"] = convolution
            if norm != "none":
                parts[f"norm{place}"] = nn.BatchNorm2d(convolution.out_channels, affine=norm == "batch")
            parts[f"relu{place}"] = nn.ReLU(inplace=True)
            if place in POOLED:
                parts[f"pool{place}"] = nn.MaxPool2d(
                    3, stride=1 if dense and place == 5 else 2, padding=int(dense), ceil_mode=ceil_mode
                )
        super().__init__(parts)


def alexnet_torchvision(*, norm: Norm = "none") -> AlexNet:
    """The one-column geometry of torchvision's AlexNet (Krizhevsky 2014), for inputs of 224 px."""
    return AlexNet(widths=(64, 192, 384, 256, 256), padding=2, ceil_mode=False, norm=norm)
