"""AlexNet as the papers of this field released it: Caffe's, the jigsaw's, DeepCluster's and RotNet's in one chain.

Krizhevsky et al., NeurIPS 2012 (Caffe: groups, local response normalisation); Noroozi, Favaro, "Unsupervised Learning
of Visual Representations by Solving Jigsaw Puzzles", ECCV 2016 (fc6 shared by nine tiles); Caron et al., "Deep
Clustering", ECCV 2018 (Sobel filters first, batch norm); Gidaris et al., "Predicting Image Rotations", ICLR 2018.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

POOLED = (1, 2, 5)  # max-pooling follows these convolutions
Norm = Literal["none", "lrn", "batch"]


class ClassicAlexNet(nn.Sequential):
    """conv1 to conv5 and, where the file has them, fc6 to fc8: (B, C, H, W) -> maps, or (B, classes).

    The fully connected layers are applied where the last map has the number of cells that they were made for
    (`features`); for images of another size the network ends with its maps. `norm_first` puts response normalisation
    before pooling. `sobel` puts a fixed gray filter and two fixed Sobel filters first. Dropout is left out, because it
    does nothing after training.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        sobel: bool = False,
        widths: Sequence[int] = (96, 256, 384, 384, 256),
        groups: Sequence[int] = (1, 2, 1, 2, 2),
        stride: int = 4,
        padding: int = 0,
        norm: Norm = "lrn",
        norm_first: bool = False,
        ceil_mode: bool = True,
        conv_bias: bool = True,
        features: int = 0,
        fc: Sequence[int] = (),
        fc_bias: bool = True,
        fc_norm: bool = False,
        classes: int | None = None,
    ) -> None:
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        if sobel:
            parts["sobel"] = nn.Sequential(nn.Conv2d(channels, 1, 1), nn.Conv2d(1, 2, 3, padding=1))
            channels = 2
        kernels, strides, paddings = (11, 5, 3, 3, 3), (stride, 1, 1, 1, 1), (padding, 2, 1, 1, 1)
        for place, width in enumerate(widths):
            number, before = place + 1, channels if place == 0 else widths[place - 1]
            parts[f"conv{number}"] = nn.Conv2d(
                before,
                width,
                kernels[place],
                stride=strides[place],
                padding=paddings[place],
                groups=groups[place],
                bias=conv_bias,
            )
            if norm == "batch":
                parts[f"bn{number}"] = nn.BatchNorm2d(width)
            parts[f"relu{number}"] = nn.ReLU(inplace=True)
            tail: list[tuple[str, nn.Module]] = (
                [("pool", nn.MaxPool2d(3, stride=2, ceil_mode=ceil_mode))] if number in POOLED else []
            )
            if norm == "lrn" and number < 3:
                # Out of place: the layer before keeps its own values.
                tail.insert(0 if norm_first else 1, ("norm", nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)))
            parts.update({f"{kind}{number}": module for kind, module in tail})
        super().__init__(parts)
        self.features = features
        self._add_fc(fc, fc_bias, fc_norm, classes)

    def _add_fc(self, widths: Sequence[int], bias: bool, norm: bool, classes: int | None) -> None:
        before = self.features
        for number, width in enumerate(widths, start=6):
            self.add_module(f"fc{number}", nn.Linear(before, width, bias=bias))
            if norm:
                self.add_module(f"bn{number}", nn.BatchNorm1d(width))
            self.add_module(f"relu{number}", nn.ReLU(inplace=True))
            before = width
        if classes is not None:
            self.add_module(f"fc{6 + len(widths)}", nn.Linear(before, classes))

    def forward(self, input: Tensor) -> Tensor:
        value = input
        for name, module in self.named_children():
            if name == "fc6":
                if value.shape[1] * value.shape[2] * value.shape[3] != self.features:
                    return value
                value = value.flatten(1)  # (B, C, h, w) -> (B, C h w)
            value = module(value)
        return value
