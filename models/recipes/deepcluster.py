"""The settings of DeepCluster and its named recipes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from models.recipes.base import AlikeConfig, BadConfig, Labels, setting
from models.recipes.rotation import LEAST


@dataclass(frozen=True, kw_only=True)
class DeepClusterConfig(AlikeConfig):
    """*DeepCluster*: the defaults are those of the released code for AlexNet."""

    labels: ClassVar[Labels] = "own"
    clusters: int = setting(10_000, "groups k that every epoch sorts the images into", 2, 100_000)
    pca: int = setting(256, "dimensions that features are whitened to before they are clustered", 2, 4096)
    iterations: int = setting(20, "iterations of k-means in an epoch", 1, 1000)
    scale: float = setting(0.08, "smallest share of the region that a crop covers; 1: crops at one scale", 0.01, 1.0)
    flip: bool = setting(True, "mirror half of the crops")
    hidden: int = setting(4096, "width of fc6 and fc7", 8, 8192)
    dropout: float = setting(0.5, "share of fc6 and fc7 that a step leaves out", 0.0, 0.9)
    batch_size: int = setting(256, "images per step", 2, 4096)
    optimiser: Literal["adam", "sgd", "nesterov"] = setting("sgd", "what follows the gradient")
    lr: float = setting(0.05, "learning rate at the start", 1e-8, 10.0)
    lr_decay: float = setting(1.0, "factor on the learning rate", 0.0, 1.0)
    weight_decay: float = setting(1e-5, "L2 penalty", 0.0, 1.0)
    steps: int = setting(1_000_900, "optimiser steps; the default is 200 epochs of ImageNet", 1, 10_000_000)

    @property
    def drawn(self) -> int:
        return self.crop if self.scale == 1 else self.region

    def checked(self) -> "DeepClusterConfig":
        super().checked()
        if self.crop < LEAST:
            raise BadConfig(f"crop must be at least {LEAST} px for conv1 at stride 4, got {self.crop}")
        if self.pca > self.hidden:
            raise BadConfig(f"pca must be at most hidden, got {self.pca} of {self.hidden}")
        return self


_SMALL: Mapping[str, Any] = {
    "crop": 96,
    "region": 128,
    "scale": 0.3,
    "hidden": 512,
    "dropout": 0.0,
    "clusters": 100,
    "pca": 128,
    "batch_size": 64,
    "steps": 1500,
}

RECIPES: dict[str, DeepClusterConfig] = {"paper": DeepClusterConfig(), "small": DeepClusterConfig(**_SMALL)}
