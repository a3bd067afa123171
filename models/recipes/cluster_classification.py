"""The settings of cluster classification, the last step of the knowledge-transfer pipeline, and its named recipes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from models.recipes.base import BadConfig, Labels, setting
from models.recipes.rotation import SMALL, ClassifierConfig

STUDENTS = ("alexnet", "alexnet-torchvision", "vgg16")


@dataclass(frozen=True, kw_only=True)
class ClusterClassificationConfig(ClassifierConfig):
    """A student from scratch that learns which cluster each image is in, by AlexNet's ImageNet recipe.

    The defaults are that recipe's, which the paper names without repeating it: 227 px crops of 256, mirrored, batches
    of 256, SGD with a rate of .01 that falls tenfold every 100,000 steps, dropout, no batch normalisation.
    """

    labels: ClassVar[Labels] = "clusters"
    clustering: str = setting("", "the clustering whose groups are the labels, by its slug")
    network: Literal["alexnet", "alexnet-torchvision", "vgg16"] = setting(  # type: ignore[assignment]
        "alexnet", "the student's encoder, drawn from the seed"
    )
    classes: int = setting(0, "outputs; 0: as many as there are clusters with images", 0, 100_000)
    dropout: float = setting(0.5, "share of fc6 and fc7 that a step leaves out", 0.0, 0.9)
    norm: Literal["none", "batch", "batch_plain"] = setting(
        "none", "batch normalisation after each convolution; batch_plain: without scale and shift"
    )
    crop: int = setting(227, "side of the training crop, pixels", 32, 512)
    scale: float = setting(1.0, "smallest share of the region that a crop covers; 1: crops at one scale", 0.01, 1.0)
    batch_size: int = setting(256, "images per step", 2, 4096)
    optimiser: Literal["adam", "sgd", "nesterov"] = setting("sgd", "what follows the gradient")
    steps: int = setting(450_000, "optimiser steps", 1, 10_000_000)
    lr_every: int = setting(100_000, "steps between two decays", 1, 10_000_000)

    def for_classes(self, count: int) -> "ClusterClassificationConfig":
        if self.classes not in (0, count):
            raise BadConfig(
                f"classes is {self.classes}, and {count} clusters have images; 0 takes as many as there are"
            )
        return replace(self, classes=count)

    def checked(self) -> "ClusterClassificationConfig":
        super().checked()
        if not self.clustering:
            raise BadConfig("clustering must name the clustering whose groups are the labels")
        return self


_SMALL: Mapping[str, Any] = {**SMALL, "norm": "batch", "dropout": 0.0, "optimiser": "nesterov", "batch_size": 32}

RECIPES: dict[str, ClusterClassificationConfig] = {
    "paper": ClusterClassificationConfig(),
    "small": ClusterClassificationConfig(**_SMALL),
}
