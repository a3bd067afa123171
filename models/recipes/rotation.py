"""The settings of rotation and its named recipes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from models.recipes.base import AlikeConfig, BadConfig, setting
from models.recipes.networks import VGG16, Backbone, check_width, vgg16, width_setting

LEAST = 63  # px that leave one cell after three poolings that round down

# The photos of the paper's code are 256 px on their shorter side; ours are 160 px, and CPUs are slow.
SMALL: Mapping[str, Any] = {
    "crop": 96,
    "region": 128,
    "scale": 1.0,
    "hidden": 512,
    "batch_size": 32,
    "steps": 1500,
    "schedule": "cosine",
    "warmup": 100,
}


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(AlikeConfig):
    """A network with batch normalisation that classifies crops: what rotation and its supervised ceiling share.

    Defaults are those of RotNet's released code for ImageNet.
    """

    scale: float = setting(0.08, "smallest share of the region that a crop covers; 1: crops at one scale", 0.01, 1.0)
    flip: bool = setting(True, "mirror half of the crops")
    network: Literal["alexnet-torchvision", "vgg16"] = setting("alexnet-torchvision", "the encoder")
    width: float = width_setting()
    norm: Literal["none", "batch", "batch_plain"] = setting(
        "batch", "batch normalisation after each convolution; batch_plain: without scale and shift"
    )
    hidden: int = setting(4096, "width of fc6 and fc7", 8, 8192)
    batch_size: int = setting(192, "images per step", 2, 4096)
    optimiser: Literal["adam", "sgd", "nesterov"] = setting("nesterov", "what follows the gradient")
    lr: float = setting(0.01, "learning rate at the start", 1e-8, 10.0)
    weight_decay: float = setting(5e-4, "L2 penalty", 0.0, 1.0)
    # 50 epochs of 1,281,167 images in batches of 192; the rate falls after 15, 30 and 45 of them.
    steps: int = setting(333_600, "optimiser steps", 1, 10_000_000)
    lr_every: int = setting(100_080, "steps between two decays", 1, 10_000_000)

    @property
    def drawn(self) -> int:
        return self.crop if self.scale == 1 else self.region

    @property
    def last_convolution(self) -> str:
        return "conv5_3" if self.network == VGG16 else super().last_convolution

    @property
    def backbone(self) -> Backbone:
        """The encoder of the crops."""
        if self.network == VGG16:
            return vgg16(self.width, self.norm, blocks=5)
        return self.network, {"norm": self.norm}

    def checked(self) -> "ClassifierConfig":
        super().checked()
        check_width(self.network, self.width)
        if self.network != VGG16 and self.crop < LEAST:
            raise BadConfig(f"crop must be at least {LEAST} px for conv1 at stride 4, got {self.crop}")
        return self


@dataclass(frozen=True, kw_only=True)
class RotationConfig(ClassifierConfig):
    """*RotNet*: the defaults are those of the released code for ImageNet."""

    batch_size: int = setting(192, "images per step; each is seen four times", 2, 4096)


RECIPES: dict[str, RotationConfig] = {"paper": RotationConfig(), "small": RotationConfig(**SMALL)}
