"""The encoder that a task trains, as the card keeps it: a name and plain arguments. Free of torch."""

from collections.abc import Mapping
from typing import Any

from models.recipes.base import BadConfig, setting

Backbone = tuple[str, Mapping[str, Any]]
"""A name in models.encoders.ENCODERS and its arguments."""

VGG16 = "vgg16"
WIDTH_HELP = "share of VGG16's channels, for small machines: 1 has 64 to 512, .25 has 16 to 128"


def width_setting() -> Any:
    """The setting `width` of tasks that can train a VGG16."""
    return setting(1.0, WIDTH_HELP, 1 / 16, 1.0)


def vgg16(width: float, norm: str, *, blocks: int) -> Backbone:
    """VGG16 up to its last convolution of `blocks`. Raises BadConfig for a normalisation that it does not have."""
    if norm == "lrn":
        raise BadConfig("norm must be none or batch with network vgg16, which has no response normalisation")
    return VGG16, {"blocks": blocks, "width": width, "norm": norm}


def check_width(network: str, width: float) -> None:
    """Raises BadConfig where a width is asked for that would not be taken."""
    if network != VGG16 and width != 1:
        raise BadConfig(f"width is a share of vgg16's channels, got {width:g} with network {network}")
