"""AlexNet's five convolutions, in the geometries that the papers of this field use.

Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", NeurIPS 2012.
Caffe rounds pooling up: with floor pooling a 114 px input ends in 2x2 instead of the counting paper's 3x3 cells.
"""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn


class AlexNet(nn.Sequential):
    """conv1-conv5 with ReLU and max-pooling: (B, 3, H, W) -> (B, widths[4], h, w).

    112, 114 px at stride 4 and 72 px at stride 2 all end in 3x3 cells. No normalisation layers, no groups, no dropout.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int] = (96, 256, 384, 384, 256),
        stride: int = 4,
        padding: int = 0,
        ceil_mode: bool = True,
    ) -> None:
        one, two, three, four, five = widths

        def pool() -> nn.Module:
            return nn.MaxPool2d(3, stride=2, ceil_mode=ceil_mode)

        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(3, one, 11, stride=stride, padding=padding),
                relu1=nn.ReLU(inplace=True),
                pool1=pool(),
                conv2=nn.Conv2d(one, two, 5, padding=2),
                relu2=nn.ReLU(inplace=True),
                pool2=pool(),
                conv3=nn.Conv2d(two, three, 3, padding=1),
                relu3=nn.ReLU(inplace=True),
                conv4=nn.Conv2d(three, four, 3, padding=1),
                relu4=nn.ReLU(inplace=True),
                conv5=nn.Conv2d(four, five, 3, padding=1),
                relu5=nn.ReLU(inplace=True),
                pool5=pool(),
            )
        )


def alexnet_torchvision() -> AlexNet:
    """The one-column geometry of torchvision's AlexNet (Krizhevsky 2014), for inputs of 224 px."""
    return AlexNet(widths=(64, 192, 384, 256, 256), padding=2, ceil_mode=False)
