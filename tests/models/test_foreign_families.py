"""A file of every family that is recognised becomes a network that answers what its own code does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import ResNet
from torchvision.models import VisionTransformer as TorchvisionViT
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.models.vgg import make_layers

from models.encoders import layers
from models.encoders.vit import VisionTransformer
from models.foreign.mapping import best, build, state_dict
from models.foreign.recognise import recognise
from models.foreign.report import LoadReport
from models.foreign.weights import Candidate, TensorInfo
from tests.models.foreign_networks import CaffeNet, CifarNet, DeepCluster, Nin, RotNet

Tensors = Mapping[str, Tensor]


def lively(make: Callable[[], nn.Module]) -> nn.Module:
    """A network in evaluation mode whose every number is drawn: the running means of batch norm as well."""
    torch.manual_seed(0)
    network = make().eval()
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2.0)
        elif name.endswith(("running_mean", "bias", "gamma")) or ("bn" in name and name.endswith("weight")):
            value.normal_(0.0, 0.3)
        elif value.is_floating_point() and value.dim() < 4 and "token" in name:
            value.normal_()
    return network


def candidate(tensors: Tensors, prefix: str = "") -> Candidate:
    """The candidate that the reader of files finds in such a state dict."""
    infos = {
        name: TensorInfo(tuple(value.shape), str(value.dtype).removeprefix("torch.")) for name, value in tensors.items()
    }
    return Candidate("weights", prefix, infos)


def found_in(tensors: Tensors, prefix: str = "") -> LoadReport:
    file = candidate(tensors, prefix)
    found = best(file, recognise(file))
    assert found is not None
    return found


def loaded(found: LoadReport, tensors: Tensors) -> nn.Module:
    network = build(found.guess, device="cpu").eval()
    network.load_state_dict(state_dict(found, tensors), strict=True)
    return network


class WholeVgg(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = make_layers([8, "M", 16, "M", 16, 16, "M"], batch_norm=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x)


class Moco(nn.Module):
    """A ResNet with a projection head of two layers in the place of its classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = ResNet(BasicBlock, [1, 1, 1, 1])
        self.whole.fc = nn.Sequential(nn.Linear(512, 16), nn.ReLU(), nn.Linear(16, 8))

    def forward(self, x: Tensor) -> Tensor:
        return self.whole(x)


@dataclass(frozen=True)
class Case:
    """A source network, what it is called, the side of its images, and the kind and outputs of its head."""

    make: Callable[[], nn.Module]
    title: str
    side: int
    head: tuple[str, int] | None = None
    inner: str = ""


CASES: dict[str, Case] = {
    "torchvision alexnet, convolutions": Case(
        lambda: torchvision.models.AlexNet().features, "AlexNet of torchvision", 70, inner="features."
    ),
    "rotnet": Case(RotNet, "AlexNet of RotNet", 224, ("rotations", 4)),
    "rotnet on cifar": Case(Nin, "Network in Network of RotNet", 32, ("rotations", 4)),
    "deepcluster with sobel": Case(DeepCluster, "AlexNet of DeepCluster with Sobel filters", 224, ("clusters", 7)),
    "deepcluster without": Case(lambda: DeepCluster(sobel=False), "AlexNet of DeepCluster", 224, ("clusters", 7)),
    "caffenet": Case(CaffeNet, "CaffeNet", 227, ("classes", 6)),
    "vgg": Case(WholeVgg, "a VGG with 4 convolutions with batch norm", 48),
    "resnet-18": Case(lambda: ResNet(BasicBlock, [2, 2, 2, 2], num_classes=5), "ResNet-18", 64, ("classes", 5)),
    "resnext": Case(
        lambda: ResNet(Bottleneck, [1, 1, 1, 1], groups=4, width_per_group=8, num_classes=5),
        "ResNeXt- of 1-1-1-1 blocks 4x8d",
        64,
        ("classes", 5),
    ),
    "moco v2": Case(lambda: Moco().whole, "ResNet of 1-1-1-1 blocks", 64, ("projection", 8)),
    "cifar resnet-20": Case(CifarNet, "ResNet-20 for CIFAR", 32, ("classes", 10)),
    "cifar resnet with convolutions as shortcuts": Case(
        lambda: CifarNet("B", 1), "ResNet-8 for CIFAR", 32, ("classes", 10)
    ),
    "torchvision vit": Case(
        lambda: TorchvisionViT(32, 8, 2, 2, 128, 256, num_classes=5),
        "vision transformer of width 128 of torchvision, patches of 8 px",
        32,
        ("classes", 5),
    ),
    "dino, mae, timm": Case(
        lambda: VisionTransformer(width=192, depth=2, heads=3, hidden=256, patch=8, grid=4),
        "vision transformer tiny, patches of 8 px",
        32,
    ),
    "dinov2 with registers": Case(
        lambda: VisionTransformer(
            width=192, depth=2, heads=3, hidden=256, patch=8, grid=4, registers=4, layer_scale=True
        ),
        "vision transformer tiny, patches of 8 px",
        32,
    ),
    "mobilenet v3": Case(
        lambda: torchvision.models.mobilenet_v3_small(num_classes=5),
        "mobilenet_v3_small of torchvision",
        64,
        ("classes", 5),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_loaded_network_answers_as_its_source_does(name: str) -> None:
    case = CASES[name]
    source = lively(case.make)
    tensors = {f"{case.inner}{key}": value for key, value in source.state_dict().items()}
    found = found_in(tensors)
    assert found.guess.title == case.title
    assert found.fits, found.sentence
    assert set(found.matched) == set(tensors)
    network = loaded(found, tensors)
    image = torch.randn(2, 3, case.side, case.side, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, answer = source(image), network(image)
    assert expected.std() > 1e-3
    assert torch.allclose(answer, expected, atol=1e-5, rtol=1e-5)
    if case.head is not None:
        (head,) = found.guess.heads
        assert ((head.kind, head.outputs), head.kept) == (case.head, True)
    cards = layers(network, side=case.side)
    assert cards[0].name + ".weight" in network.state_dict()
    assert all(card.units > 0 for card in cards)
