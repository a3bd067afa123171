"""Residual networks for CIFAR: three stages of 16, 32 and 64 channels in the paper, four in common code.

He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2: ResNet-20 to 110 have
3 n blocks of two convolutions; shortcuts of option A skip every other pixel and add empty channels, those of option B
are 1x1 convolutions.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from models.encoders.receptive_field import Window


class PadShortcut(nn.Module):
    """Option A: every other pixel, and half of the new channels before and after as zeros."""

    window = Window(1, 2, 0, ceil_mode=False)

    def __init__(self, added: int) -> None:
        super().__init__()
        self.added = added

    def forward(self, x: Tensor) -> Tensor:
        before = self.added // 2
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, before, self.added - before))


class CifarBlock(nn.Module):
    """Two 3x3 convolutions, or 1x1, 3x3, 1x1 with four times the channels, around a shortcut."""

    def __init__(self, before: int, width: int, stride: int, *, bottleneck: bool, option: Literal["A", "B"]) -> None:
        super().__init__()
        out = 4 * width if bottleneck else width
        sizes = [(before, width, 1, 1), (width, width, 3, stride), (width, out, 1, 1)]
        if not bottleneck:
            sizes = [(before, width, 3, stride), (width, width, 3, 1)]
        for place, (into, to, kernel, step) in enumerate(sizes, start=1):
            conv = nn.Conv2d(into, to, kernel, stride=step, padding=kernel // 2, bias=False)
            self.add_module(f"conv{place}", conv)
            self.add_module(f"bn{place}", nn.BatchNorm2d(to))
        self.convolutions = len(sizes)
        self.shortcut: nn.Module = nn.Sequential()
        if stride != 1 or before != out:
            if option == "A":
                self.shortcut = PadShortcut(out - before)
            else:
                pointwise = nn.Conv2d(before, out, 1, stride=stride, bias=False)
                self.shortcut = nn.Sequential(pointwise, nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        value = x
        for place in range(1, self.convolutions + 1):
            value = self.get_submodule(f"bn{place}")(self.get_submodule(f"conv{place}")(value))
            value = F.relu(value) if place < self.convolutions else value
        return F.relu(value + self.shortcut(x))


class CifarResNet(nn.Module):
    """(B, 3, H, W) -> (B, classes), or (B, C) without a classifier; every stage but the first halves the map."""

    def __init__(
        self,
        *,
        depths: Sequence[int],
        widths: Sequence[int] = (16, 32, 64),
        bottleneck: bool = False,
        option: Literal["A", "B"] = "A",
        classes: int | None = None,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        before = widths[0]
        for number, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
            blocks: OrderedDict[str, nn.Module] = OrderedDict()
            for place in range(depth):
                stride = 2 if place == 0 and number > 1 else 1
                blocks[str(place)] = CifarBlock(before, width, stride, bottleneck=bottleneck, option=option)
                before = 4 * width if bottleneck else width
            self.add_module(f"layer{number}", nn.Sequential(blocks))
        self.stages = len(depths)
        self.linear = nn.Identity() if classes is None else nn.Linear(before, classes)

    def forward(self, input: Tensor) -> Tensor:
        value = self.relu(self.bn1(self.conv1(input)))
        for number in range(1, self.stages + 1):
            value = self.get_submodule(f"layer{number}")(value)
        logits: Tensor = self.linear(value.mean(dim=(2, 3)))  # (B, C, h, w) -> (B, C) -> (B, classes)
        return logits
