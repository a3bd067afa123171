"""The settings of supervised training, the upper end of every comparison, and its named recipes."""

from dataclasses import dataclass, replace
from typing import ClassVar

from models.recipes.base import BadConfig, Labels, setting
from models.recipes.rotation import SMALL, ClassifierConfig


@dataclass(frozen=True, kw_only=True)
class SupervisedConfig(ClassifierConfig):
    """Classes of labelled images, by the network and the recipe of rotation, so that the two can be compared."""

    labels: ClassVar[Labels] = "gallery"
    classes: int = setting(0, "outputs; 0: as many as the gallery has labels", 0, 100_000)

    def for_classes(self, count: int) -> "SupervisedConfig":
        if self.classes not in (0, count):
            raise BadConfig(
                f"classes is {self.classes}, and the gallery has {count} labels; 0 takes as many as there are"
            )
        return replace(self, classes=count)


RECIPES: dict[str, SupervisedConfig] = {"paper": SupervisedConfig(), "small": SupervisedConfig(**SMALL)}
