"""Encoders by name, and what can be looked at inside them."""

from collections.abc import Callable, Iterator

from torch import nn

from models.card import LayerCard
from models.encoders.alexnet import AlexNet, alexnet_torchvision
from models.receptive_field import fields

ENCODERS: dict[str, Callable[..., nn.Module]] = {"alexnet": AlexNet, "alexnet-torchvision": alexnet_torchvision}


def layers(encoder: nn.Module) -> tuple[LayerCard, ...]:
    """The convolutions of an encoder in forward order; each is read at the ReLU that follows it."""
    pairs = list(_read_at(encoder))
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


def _read_at(encoder: nn.Module) -> Iterator[tuple[str, nn.Conv2d, str]]:
    """Each convolution with the name of its ReLU, which follows it directly or after a normalisation."""
    waiting: tuple[str, nn.Conv2d] | None = None
    for name, module in encoder.named_modules():
        if isinstance(module, nn.Conv2d):
            waiting = name, module
        elif isinstance(module, nn.ReLU) and waiting is not None:
            yield *waiting, name
            waiting = None
        elif not isinstance(module, nn.BatchNorm2d):
            waiting = None
