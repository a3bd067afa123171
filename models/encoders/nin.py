"""Network in Network as RotNet uses it on CIFAR: stages of one spatial and two pointwise convolutions.

Lin, Chen, Yan, "Network In Network", ICLR 2014, https://arxiv.org/abs/1312.4400; Gidaris, Singh, Komodakis,
"Unsupervised Representation Learning by Predicting Image Rotations", ICLR 2018, https://arxiv.org/abs/1803.07728.
"""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn


class NetworkInNetwork(nn.Module):
    """(B, 3, H, W) -> (B, classes), or (B, C) without a classifier. `widths` are those of the convolutions of each
    stage, `kernels` the size of each stage's first; max-pooling follows the first stage, mean-pooling the others but
    the last one.
    """

    def __init__(
        self, *, channels: int = 3, widths: Sequence[Sequence[int]], kernels: Sequence[int], classes: int | None = None
    ) -> None:
        super().__init__()
        stages, before = [], channels
        for number, (outs, kernel) in enumerate(zip(widths, kernels, strict=True)):
            parts: OrderedDict[str, nn.Module] = OrderedDict()
            for place, out in enumerate(outs):
                side = kernel if place == 0 else 1
                parts[f"conv{place + 1}"] = nn.Conv2d(before, out, side, padding=side // 2, bias=False)
                parts[f"bn{place + 1}"] = nn.BatchNorm2d(out)
                parts[f"relu{place + 1}"] = nn.ReLU(inplace=True)
                before = out
            # With three stages the second is the last that is pooled, with more the third: as released.
            if number == 0:
                parts["pool"] = nn.MaxPool2d(3, stride=2, padding=1)
            elif number < max(2, min(3, len(widths) - 1)):
                parts["pool"] = nn.AvgPool2d(3, stride=2, padding=1)
            stages.append(nn.Sequential(parts))
        self.stages = nn.ModuleList(stages)
        self.classifier = nn.Identity() if classes is None else nn.Linear(before, classes)

    def forward(self, input: Tensor) -> Tensor:
        value = input
        for stage in self.stages:
            value = stage(value)
        logits: Tensor = self.classifier(value.mean(dim=(2, 3)))  # (B, C, h, w) -> (B, C) -> (B, classes)
        return logits
