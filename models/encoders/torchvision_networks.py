"""Networks of torchvision through its own constructors, whose state dicts are what most files hold.

https://docs.pytorch.org/vision/stable/models.html names the papers. No weights are ever fetched.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torchvision
from torch import Tensor, nn
from torchvision.models import VGG, VisionTransformer
from torchvision.models.vgg import make_layers


class TorchvisionAlexNet(nn.Module):
    """torchvision's AlexNet: (B, 3, H, W) -> (B, classes); without a classifier its maps (B, 256, h, w)."""

    def __init__(self, *, classifier: Sequence[int] = ()) -> None:
        """`classifier`: the widths of its three linear layers, nothing for a file with convolutions only."""
        super().__init__()
        whole = torchvision.models.AlexNet()
        self.features = whole.features
        if classifier:
            self.avgpool, self.classifier = whole.avgpool, whole.classifier
            before = 256 * 36
            for place, width in zip((1, 4, 6), classifier, strict=True):
                whole.classifier[place] = nn.Linear(before, width)
                before = width

    def forward(self, input: Tensor) -> Tensor:
        value: Tensor = self.features(input)
        return self.classifier(self.avgpool(value).flatten(1)) if hasattr(self, "classifier") else value


class TorchvisionVGG(nn.Module):
    """torchvision's VGG, with Sobel filters before it and a top layer after it where DeepCluster put them.

    `plan`: widths of the convolutions and "M" for each pooling. `classifier`: places and widths of its linear layers.
    """

    def __init__(
        self,
        *,
        plan: Sequence[int | str],
        batch_norm: bool,
        classifier: Sequence[int] = (),
        places: Sequence[int] = (0, 3, 6),
        sobel: bool = False,
        top_layer: int | None = None,
    ) -> None:
        super().__init__()
        if sobel:
            self.sobel = nn.Sequential(nn.Conv2d(3, 1, 1), nn.Conv2d(1, 2, 3, padding=1))
        self.features = VGG(make_layers(list(plan), batch_norm), num_classes=1, init_weights=False).features
        before = [width for width in plan if isinstance(width, int)][-1]
        if sobel:
            first = self.features[0]
            self.features[0] = nn.Conv2d(2, first.out_channels, 3, padding=1)
        before *= 49
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        for number, (place, width) in enumerate(zip(places, classifier, strict=False)):
            parts[str(place)] = nn.Linear(before, width)
            if number + 1 < len(classifier) or top_layer is not None:
                parts[str(place + 1)] = nn.ReLU(inplace=True)
            before = width
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(parts) if parts else None
        self.top_layer = nn.Linear(before, top_layer) if top_layer is not None else None

    def forward(self, input: Tensor) -> Tensor:
        value: Tensor = self.features(self.sobel(input) if hasattr(self, "sobel") else input)
        if self.classifier is None:
            return value
        value = self.classifier(self.avgpool(value).flatten(1))
        return value if self.top_layer is None else self.top_layer(value)


def torchvision_vit(
    *, image: int, patch: int, width: int, depth: int, heads: int, hidden: int, classes: int | None = None
) -> VisionTransformer:
    """torchvision's vision transformer under its own names."""
    network = VisionTransformer(
        image_size=image,
        patch_size=patch,
        num_layers=depth,
        num_heads=heads,
        hidden_dim=width,
        mlp_dim=hidden,
        num_classes=classes or 1,
    )
    if classes is None:
        network.heads = nn.Identity()
    return network


# Files leave the classifier out or give it another number of classes; it is the last linear layer of these modules.
TOPS = ("fc", "classifier", "head", "heads")


def torchvision_network(*, model: str, classes: int | None = None) -> nn.Module:
    """A classifier of torchvision by its name; without `classes` its last linear layer is left out.

    Raises ValueError for a name that torchvision does not have.
    """
    if model not in torchvision.models.list_models(torchvision.models):
        raise ValueError(f"torchvision has no classification network {model!r}")
    extra = {"init_weights": False} if model in ("googlenet", "inception_v3") else {}
    network: nn.Module = torchvision.models.get_model(model, weights=None, num_classes=classes or 1, **extra)
    if classes is None:
        top = next(name for name in TOPS if hasattr(network, name))
        module = network.get_submodule(top)
        last = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)][-1]
        network.set_submodule(f"{top}.{last}".rstrip("."), nn.Identity())
    return network
