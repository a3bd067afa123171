"""Supervised: the labels of the gallery, as an upper bound for every comparison.

Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", NeurIPS 2012,
https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks. Network and recipe
are those of rotation, not of this paper: only the target differs between the two, so that features can be compared.
"""

from typing import ClassVar, Self

import torch
from torch import Tensor

from models.puzzles import Puzzle, PuzzleAnswer
from models.recipes.supervised import SupervisedConfig
from models.tasks import classifying
from models.tasks.base import Views
from models.tasks.pictures import picture
from models.tasks.rotation import CropClassifier
from models.tasks.windows import MEAN, STD


class Supervised(CropClassifier):
    """The class of each crop is its image's label."""

    name: ClassVar[str] = "supervised"
    paper: ClassVar[str] = (
        "https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks"
    )

    @classmethod
    def build(cls, config: SupervisedConfig, rng: torch.Generator) -> Self:
        return cls.made(config, config.classes, rng)

    def views(self, images: Tensor, rng: torch.Generator, targets: Tensor | None = None) -> Views:
        """One crop an image: (B, 3, drawn, drawn) uint8 -> (B, 3, s, s), classes (B,)."""
        return Views(self.crops(images, rng), targets)

    def forward(self, views: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(views))  # (B, 3, s, s) -> (B, N)
        return logits

    def chance(self) -> dict[str, float]:
        return classifying.guessing(self._classes)

    def puzzle(self, views: Views, which: int) -> Puzzle:  # noqa: ARG002 - one crop an image
        right = None if views.target is None else int(views.target[0])
        return Puzzle("What is it?", (picture("a crop", views.inputs[0], MEAN, STD),), 1, self._choices, right)

    def answer(self, outputs: Tensor, views: Views, which: int) -> PuzzleAnswer:  # noqa: ARG002 - one crop an image
        return classifying.answer(outputs[0], self._choices)

    @property
    def _classes(self) -> int:
        assert isinstance(self.config, SupervisedConfig)
        return self.config.classes

    @property
    def _choices(self) -> tuple[str, ...]:
        return self.names or tuple(f"class {number}" for number in range(self._classes))
