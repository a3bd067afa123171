"""The settings of colorization and its named recipes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from models.recipes.base import AlikeConfig, setting


@dataclass(frozen=True, kw_only=True)
class ColoursConfig(AlikeConfig):
    """What colorization and split-brain share: a fully convolutional AlexNet that answers for every 16th pixel.

    Defaults are those of the two papers: crops of 180 px, which end in maps of 12 x 12 cells.
    """

    crop: int = setting(180, "side of the training crop, pixels; the network answers for every 16th", 33, 512)
    flip: bool = setting(True, "mirror half of the crops")
    widths: Literal["96-256-384-384-256", "64-192-384-256-256"] = setting(
        "96-256-384-384-256", "channels of conv1 to conv5: AlexNet's, or those of rotation's network"
    )
    norm: Literal["none", "batch"] = setting("batch", "batch normalisation after each convolution")
    window: int = setting(6, "side of what fc6 sees, in cells that lie two apart", 1, 6)
    hidden: int = setting(4096, "width of fc6 and fc7", 8, 8192)
    temperature: float = setting(
        0.38, "of the annealed mean that answers are drawn by: 1 the mean, 0 the mode", 0.01, 1.0
    )
    batch_size: int = setting(40, "images per step", 2, 4096)
    lr: float = setting(3e-5, "learning rate at the start", 1e-8, 10.0)
    lr_decay: float = setting(0.333, "factor on the learning rate", 0.0, 1.0)
    lr_every: int = setting(150_000, "steps between two decays", 1, 10_000_000)
    weight_decay: float = setting(1e-3, "L2 penalty", 0.0, 1.0)
    steps: int = setting(450_000, "optimiser steps", 1, 10_000_000)

    @property
    def channels(self) -> tuple[int, ...]:
        """The widths of conv1 to conv5."""
        return tuple(int(width) for width in self.widths.split("-"))

    @property
    def geometry(self) -> str:
        cells = -(-self.crop // 16)
        return f"{super().geometry}, {cells}x{cells} cells that tell the pixel in their centre"


@dataclass(frozen=True, kw_only=True)
class ColorizationConfig(ColoursConfig):
    """*Colorful image colorization*: differences from the paper are listed in the module of the task."""

    neighbours: int = setting(5, "bins of ab that a colour is shared out to", 1, 50)
    sigma: float = setting(
        5.0, "deviation, in ab, of the soft code and of the smoothing of the bins' shares", 0.1, 50.0
    )
    uniform: float = setting(
        0.5, "λ: how far colours are weighted as if all were as common; 1: no rebalancing", 0.0, 1.0
    )


# 113 px end in 8 x 8 cells whose outermost centres are the first and the last pixel; two CPU cores.
SMALL: Mapping[str, Any] = {
    "crop": 113,
    "region": 128,
    "widths": "64-192-384-256-256",
    "window": 3,
    "hidden": 256,
    "batch_size": 32,
    "steps": 800,
    "lr": 1e-3,
    "weight_decay": 0.0,
    "schedule": "cosine",
    "warmup": 50,
}

RECIPES: dict[str, ColorizationConfig] = {"paper": ColorizationConfig(), "small": ColorizationConfig(**SMALL)}
