"""Encoders by name, and what can be looked at inside them."""

from collections.abc import Callable

from torch import nn

from models.card import LayerCard
from models.encoders.alexnet import AlexNet, alexnet_torchvision
from models.receptive_field import fields

ENCODERS: dict[str, Callable[..., nn.Module]] = {"alexnet": AlexNet, "alexnet-torchvision": alexnet_torchvision}


def layers(encoder: nn.Module) -> tuple[LayerCard, ...]:
    """The convolutions of an encoder in forward order; each is read at the ReLU that follows it."""
    modules = list(encoder.named_modules())
    pairs = [
        (name, conv, modules[i + 1][0])
        for i, (name, conv) in enumerate(modules[:-1])
        if isinstance(conv, nn.Conv2d) and isinstance(modules[i + 1][1], nn.ReLU)
    ]
    found = fields(encoder, [name for name, _, _ in pairs])
    return tuple(
        LayerCard(
            name=name,
            units=conv.out_channels,
            kind="conv",
            module=relu,
            stride=found[name].stride,
            receptive_field=found[name].receptive_field,
            offset=found[name].offset,
        )
        for name, conv, relu in pairs
    )
