"""Rotation: which way up is the image? The network sees four turns of it and predicts by how much each was turned.

Gidaris, Singh, Komodakis, "Unsupervised Representation Learning by Predicting Image Rotations", ICLR 2018,
https://arxiv.org/abs/1803.07728. Where paper and released code differ the code was taken: batch normalisation in every
layer and no dropout, and learning rates of .01, .001, 1e-4, 1e-5 (its option names 0.1 and its table overrides it).
"""

from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from models.card import LayerCard, Preprocess
from models.encoders import ENCODERS
from models.encoders.initialisation import he
from models.puzzles import Puzzle, PuzzleAnswer
from models.recipes.rotation import ClassifierConfig
from models.tasks import classifying
from models.tasks.base import Task, Views
from models.tasks.heads import Classifier
from models.tasks.pictures import picture
from models.tasks.windows import MEAN, STD, by_mean_and_std, mirror, resized_crops

TURNS = ("upright", "a quarter turn to the left", "upside down", "a quarter turn to the right")


class CropClassifier(Task):
    """A network that classifies crops: AlexNet with batch normalisation unless another network is asked for."""

    config: ClassifierConfig

    def __init__(self, encoder: nn.Module, head: nn.Module, config: ClassifierConfig) -> None:
        super().__init__()
        self.encoder, self.head, self.config = encoder, head, config

    @classmethod
    def made(cls, config: ClassifierConfig, outputs: int, rng: torch.Generator) -> Self:
        """The untrained network with so many classes."""
        architecture, how = config.backbone
        encoder = ENCODERS[architecture](**how)
        with torch.no_grad():
            features = encoder.eval()(torch.zeros(1, 3, config.size, config.size)).numel()
        head = Classifier(features=features, hidden=config.hidden, outputs=outputs, norm=config.norm != "none")
        he(encoder, rng)
        he(head, rng)
        nn.init.normal_(head.get_parameter("top.weight"), std=0.01, generator=rng)  # begins at ln N
        return cls(encoder, head, config)

    def crops(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Windows (B, 3, drawn, drawn) uint8 -> normalised crops (B, 3, size, size)."""
        pixels = (mirror(images, rng) if self.config.flip else images).float().div_(255)
        if images.shape[-1] != self.config.size:
            pixels = resized_crops(pixels, self.config.size, self.config.scale, rng)
        return by_mean_and_std(pixels)

    def loss(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        return classifying.cross_entropy(outputs, target)

    def measure(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        return classifying.measures(outputs, target)

    def architecture(self) -> dict[str, Any]:
        architecture, how = self.config.backbone
        return {"architecture": architecture, "encoder": dict(how), "head": None}

    def head_layers(self) -> tuple[LayerCard, ...]:
        return ()

    def preprocess(self) -> Preprocess:
        return Preprocess(self.config.crop, self.config.region, self.config.size, None, "mean_std", MEAN, STD)


class Rotation(CropClassifier):
    """All four turns of each image are in the batch, so every class is there equally often."""

    name: ClassVar[str] = "rotation"
    paper: ClassVar[str] = "https://arxiv.org/abs/1803.07728"

    @classmethod
    def build(cls, config: ClassifierConfig, rng: torch.Generator) -> Self:
        return cls.made(config, len(TURNS), rng)

    def views(self, images: Tensor, rng: torch.Generator, targets: Tensor | None = None) -> Views:  # noqa: ARG002
        """Stack the four turns: (B, 3, drawn, drawn) uint8 -> (B, 4, 3, s, s), classes (B, 4)."""
        turned = turns(self.crops(images, rng))
        return Views(turned, torch.arange(4, device=turned.device).expand(len(turned), 4))

    def forward(self, views: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(views.flatten(0, 1)))  # (B, 4, 3, s, s) -> (4 B, 4)
        return logits.view(len(views), 4, -1)  # (4 B, 4) -> (B, 4, 4)

    def chance(self) -> dict[str, float]:
        return classifying.guessing(len(TURNS))

    def puzzle(self, views: Views, which: int) -> Puzzle:
        shown = picture("turned", views.inputs[0, which % 4], MEAN, STD)
        solution = picture("turned back", views.inputs[0, 0], MEAN, STD)
        return Puzzle("How was the photo turned?", (shown,), 1, TURNS, which % 4, (solution,))

    def answer(self, outputs: Tensor, views: Views, which: int) -> PuzzleAnswer:  # noqa: ARG002 - it is in the outputs
        return classifying.answer(outputs[0, which % 4], TURNS)


def turns(images: Tensor) -> Tensor:
    """0, 90, 180 and 270 degrees to the left: (B, C, s, s) -> (B, 4, C, s, s).

    By transposing and flipping alone: traces of interpolation would reveal which images were turned.
    """
    turned = images.transpose(2, 3)
    return torch.stack([images, turned.flip(2), images.flip((2, 3)), turned.flip(3)], dim=1)
