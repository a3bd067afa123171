"""Networks of other people's code, written again as the tests need them: the names of their tensors are the point."""

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F


class RotNet(nn.Module):
    """Gidaris' AlexNet, narrow: blocks in a list, batch norm everywhere."""

    def __init__(self, widths: tuple[int, ...] = (8, 12, 16, 12, 12), hidden: int = 10) -> None:
        super().__init__()
        geometry = [(11, 4, 2), (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1)]
        convs, before = [], 3
        for (kernel, stride, padding), width in zip(geometry, widths, strict=True):
            conv = nn.Conv2d(before, width, kernel, stride=stride, padding=padding)
            convs.append(nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True)))
            before = width
        pool = [nn.MaxPool2d(3, stride=2) for _ in range(3)]
        fc = nn.Sequential(
            nn.Flatten(),
            nn.Linear(before * 36, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
        )
        top = nn.Sequential(nn.Linear(hidden, 4))
        one, two, three, four, five = convs
        self._feature_blocks = nn.ModuleList([one, pool[0], two, pool[1], three, four, five, pool[2], fc, top])

    def forward(self, x: Tensor) -> Tensor:
        for block in self._feature_blocks:
            x = block(x)
        return x


class NinBlock(nn.Module):
    def __init__(self, before: int, width: int, kernel: int) -> None:
        super().__init__()
        conv = nn.Conv2d(before, width, kernel, padding=kernel // 2, bias=False)
        self.layers = nn.Sequential(OrderedDict(Conv=conv, BatchNorm=nn.BatchNorm2d(width), ReLU=nn.ReLU(inplace=True)))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Nin(nn.Module):
    """Gidaris' Network in Network with four stages."""

    def __init__(self) -> None:
        super().__init__()
        stages = []
        for number, (before, kernel) in enumerate([(3, 5), (6, 5), (8, 3), (8, 3)], start=1):
            widths = (8, 7, 6) if number == 1 else (8, 8, 8)
            parts: OrderedDict[str, nn.Module] = OrderedDict()
            for place, width in enumerate(widths, start=1):
                parts[f"Block{number}_ConvB{place}"] = NinBlock(before, width, kernel if place == 1 else 1)
                before = width
            if number == 1:
                parts["Block1_MaxPool"] = nn.MaxPool2d(3, stride=2, padding=1)
            elif number < 4:
                parts[f"Block{number}_AvgPool"] = nn.AvgPool2d(3, stride=2, padding=1)
            stages.append(nn.Sequential(parts))
        stages.append(nn.Sequential(OrderedDict(Classifier=nn.Linear(8, 4))))
        self._feature_blocks = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> Tensor:
        for stage in self._feature_blocks[:-1]:
            x = stage(x)
        return self._feature_blocks[-1](x.mean(dim=(2, 3)))


class DeepCluster(nn.Module):
    """Caron's AlexNet, narrow: Sobel filters, batch norm, a top layer; `features` was wrapped for several GPUs."""

    def __init__(self, *, sobel: bool = True, clusters: int = 7, hidden: int = 10) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 2 if sobel else 3
        for width, kernel, stride, padding, pooled in [
            (8, 11, 4, 2, True),
            (12, 5, 1, 2, True),
            (16, 3, 1, 1, False),
            (16, 3, 1, 1, False),
            (12, 3, 1, 1, True),
        ]:
            conv = nn.Conv2d(before, width, kernel, stride=stride, padding=padding)
            layers += [conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            layers += [nn.MaxPool2d(3, stride=2)] if pooled else []
            before = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(12 * 36, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.top_layer = nn.Linear(hidden, clusters)
        self.sobel = nn.Sequential(nn.Conv2d(3, 1, 1), nn.Conv2d(1, 2, 3, padding=1)) if sobel else None

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.sobel is None else self.sobel(x)
        return self.top_layer(self.classifier(self.features(x).flatten(1)))


class ResponseNorm(nn.Module):
    """Normalisation across channels by a mean over depth, as old PyTorch code wrote it."""

    def __init__(self) -> None:
        super().__init__()
        self.average = nn.AvgPool3d((5, 1, 1), stride=1, padding=(2, 0, 0))

    def forward(self, x: Tensor) -> Tensor:
        around = self.average(x.square().unsqueeze(1)).squeeze(1)
        return x / (around * 1e-4 + 1).pow(0.75)


class ContextFree(nn.Module):
    """Brattoli's jigsaw network, narrow: (B, 9, 3, 75, 75) -> permutations."""

    def __init__(self, permutations: int = 6, tile: int = 5) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            OrderedDict(
                conv1_s1=nn.Conv2d(3, 8, 11, stride=2),
                relu1_s1=nn.ReLU(inplace=True),
                pool1_s1=nn.MaxPool2d(3, 2),
                lrn1_s1=ResponseNorm(),
                conv2_s1=nn.Conv2d(8, 12, 5, padding=2, groups=2),
                relu2_s1=nn.ReLU(inplace=True),
                pool2_s1=nn.MaxPool2d(3, 2),
                lrn2_s1=ResponseNorm(),
                conv3_s1=nn.Conv2d(12, 16, 3, padding=1),
                relu3_s1=nn.ReLU(inplace=True),
                conv4_s1=nn.Conv2d(16, 16, 3, padding=1, groups=2),
                relu4_s1=nn.ReLU(inplace=True),
                conv5_s1=nn.Conv2d(16, 12, 3, padding=1, groups=2),
                relu5_s1=nn.ReLU(inplace=True),
                pool5_s1=nn.MaxPool2d(3, 2),
            )
        )
        self.fc6 = nn.Sequential(OrderedDict(fc6_s1=nn.Linear(12 * 9, tile), relu6_s1=nn.ReLU(inplace=True)))
        self.fc7 = nn.Sequential(OrderedDict(fc7=nn.Linear(9 * tile, 11), relu7=nn.ReLU(inplace=True)))
        self.classifier = nn.Sequential(OrderedDict(fc8=nn.Linear(11, permutations)))

    def tile(self, x: Tensor) -> Tensor:
        """What one tile becomes, (B, tile)."""
        return self.fc6(self.conv(x).flatten(1))


class CaffeNet(nn.Module):
    """Caffe's AlexNet, narrow: groups, pooling rounded up, normalisation after pooling; no normalisation of its own."""

    def __init__(self, hidden: int = 10, classes: int = 6) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 11, stride=4)
        self.conv2 = nn.Conv2d(8, 12, 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(12, 16, 3, padding=1)
        self.conv4 = nn.Conv2d(16, 16, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(16, 12, 3, padding=1, groups=2)
        self.fc6, self.fc7 = nn.Linear(12 * 36, hidden), nn.Linear(hidden, hidden)
        self.fc8 = nn.Linear(hidden, classes)
        self.norm = ResponseNorm()

    def forward(self, x: Tensor) -> Tensor:
        def pool(value: Tensor) -> Tensor:
            return F.max_pool2d(value, 3, 2, ceil_mode=True)

        x = self.norm(pool(F.relu(self.conv1(x))))
        x = self.norm(pool(F.relu(self.conv2(x))))
        x = pool(F.relu(self.conv5(F.relu(self.conv4(F.relu(self.conv3(x)))))))
        return self.fc8(F.relu(self.fc7(F.relu(self.fc6(x.flatten(1))))))


class CifarBlock(nn.Module):
    """A block with a shortcut that pads channels, as akamaster writes it, or with a convolution."""

    def __init__(self, before: int, width: int, stride: int, option: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        self.padded = 0
        if before != width and option == "A":
            self.padded = width // 4
        elif before != width:
            self.shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        around = self.shortcut(x)
        if self.padded:
            around = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.padded, self.padded))
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + around)


class CifarNet(nn.Module):
    """ResNet-20 for CIFAR."""

    def __init__(self, option: str = "A", depth: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        stages, before = [], 16
        for width in (16, 32, 64):
            blocks = []
            for place in range(depth):
                blocks.append(CifarBlock(before, width, 2 if place == 0 and width > 16 else 1, option))
                before = width
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3 = stages
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(F.avg_pool2d(x, x.shape[3]).flatten(1))
