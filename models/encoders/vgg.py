"""VGG16's convolutions, whole or up to conv4_3, at a share of their width.

Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015,
https://arxiv.org/abs/1409.1556. Jigsaw++ takes them up to conv4_3 as its stronger teacher.
"""

from collections import OrderedDict

from torch import nn

from models.encoders.alexnet import Norm

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class VGG16(nn.Sequential):
    """conv1_1 to the last convolution of `blocks`: (B, 3, H, W) -> (B, 512 width, H / 16, W / 16), with four blocks
    (B, 512 width, H / 8, W / 8), since conv4_3 is not pooled there.

    `width` 1 has the paper's 64 to 512 channels, .25 a quarter of them. `norm` puts batch normalisation between each
    convolution and its ReLU: `batch` with scale and shift, `batch_plain` without.
    """

    def __init__(self, *, blocks: int = 5, width: float = 1.0, norm: Norm = "none") -> None:
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        channels = 3
        for number, block in enumerate(BLOCKS[:blocks], start=1):
            for place, whole in enumerate(block, start=1):
                own = max(1, round(whole * width))
                parts[f"conv{number}_{place}"] = nn.Conv2d(channels, own, 3, padding=1)
                if norm != "none":
                    parts[f"norm{number}_{place}"] = nn.BatchNorm2d(own, affine=norm == "batch")
                parts[f"relu{number}_{place}"] = nn.ReLU(inplace=True)
                channels = own
            if number < blocks or blocks == len(BLOCKS):
                parts[f"pool{number}"] = nn.MaxPool2d(2, stride=2)
        super().__init__(parts)
