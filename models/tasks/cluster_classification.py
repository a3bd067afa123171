"""Cluster classification: a student from scratch learns the groups that a teacher's features fall into.

Noroozi, Vinjimoor, Favaro, Pirsiavash, "Boosting Self-Supervised Learning via Knowledge Transfer", CVPR 2018,
https://arxiv.org/abs/1805.00385. Only cluster membership passes from teacher to student, so the two may differ in
architecture. The paper names AlexNet's ImageNet recipe without its values; they are in the settings. Clusters without
images get no output.
"""

from typing import ClassVar, Self

import torch
from torch import nn

from models.encoders import ENCODERS
from models.encoders.initialisation import he
from models.puzzles import Puzzle, PuzzleAnswer
from models.recipes.cluster_classification import ClusterClassificationConfig
from models.tasks import classifying
from models.tasks.base import Views
from models.tasks.heads import Classifier
from models.tasks.pictures import picture
from models.tasks.supervised import Supervised
from models.tasks.windows import MEAN, STD


class ClusterClassification(Supervised):
    """The class of each crop is its image's cluster."""

    name: ClassVar[str] = "cluster_classification"
    paper: ClassVar[str] = "https://arxiv.org/abs/1805.00385"
    config: ClusterClassificationConfig

    @classmethod
    def build(cls, config: ClusterClassificationConfig, rng: torch.Generator) -> Self:  # type: ignore[override]
        architecture, how = config.backbone
        encoder = ENCODERS[architecture](**how)
        with torch.no_grad():
            features = encoder.eval()(torch.zeros(1, 3, config.size, config.size)).numel()
        head = Classifier(
            features=features,
            hidden=config.hidden,
            outputs=max(config.classes, 2),
            norm=config.norm != "none",
            dropout=config.dropout,
        )
        he(encoder, rng)
        he(head, rng)
        nn.init.normal_(head.get_parameter("top.weight"), std=0.01, generator=rng)  # begins at ln k
        return cls(encoder, head, config)

    def puzzle(self, views: Views, which: int) -> Puzzle:  # noqa: ARG002 - one crop an image
        right = None if views.target is None else int(views.target[0])
        shown = (picture("a crop", views.inputs[0], MEAN, STD),)
        return Puzzle("Which cluster is it in?", shown, 1, self._choices, right)

    def answer(self, outputs: torch.Tensor, views: Views, which: int) -> PuzzleAnswer:  # noqa: ARG002
        return classifying.answer(outputs[0], self._choices)

    def chance(self) -> dict[str, float]:
        """Always answering the largest cluster, which is better than equal probabilities."""
        found = classifying.guessing(max(self.config.classes, 2))
        return found if self.majority is None else {**found, "accuracy": self.majority}

    @property
    def _classes(self) -> int:
        return max(self.config.classes, 2)
