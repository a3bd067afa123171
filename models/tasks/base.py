"""What every pretext task is: a transform that invents its own label, a head, and a loss."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import Tensor, nn

from models.card import LayerCard, Preprocess
from models.puzzles import Answer, Puzzle
from models.recipes.base import ImageConfig


class Windows(Protocol):
    """Where images come from: windows (B, 3, size, size) uint8 of images by index, on the images' device."""

    side: int
    extents: Tensor  # (N,) how many of `side` pixels image i really has

    def crops(self, indices: Tensor, tops: Tensor, lefts: Tensor, size: int) -> Tensor: ...


@dataclass(frozen=True)
class Views:
    """What the network is shown for a batch, images along the first axis, and the right answer where there is one."""

    inputs: Tensor
    target: Tensor | None = None


@dataclass(frozen=True)
class Epoch:
    """What a task may look at before an epoch: its number from 0, all training images, the optimiser, last targets."""

    number: int
    windows: Windows
    optimiser: torch.optim.Optimizer
    rng: torch.Generator
    targets: Tensor | None = None


@dataclass(frozen=True)
class Relabelled:
    """New targets for every training image, (N,) or (N, K), and the order of the epoch (None: a permutation)."""

    targets: Tensor
    order: Tensor | None = None
    metrics: Mapping[str, float] | None = None


class Task(nn.Module, ABC):
    """An encoder, a head, and a puzzle. Views are made for a whole batch, on the device that holds the images.

    `names` are those of the classes where targets are labels of the images, `majority` the share of the commonest; a
    training sets them.
    """

    name: ClassVar[str]
    paper: ClassVar[str]
    encoder: nn.Module
    head: nn.Module
    config: ImageConfig
    puzzles_an_image: ClassVar[int] = 1  # drawn of each held-out image when the finished network is measured
    names: tuple[str, ...] = ()
    majority: float | None = None

    @classmethod
    @abstractmethod
    def build(cls, config: Any, rng: torch.Generator) -> Self:
        """The untrained task of its own config, its weights drawn from `rng`."""

    def begin(self, views: Tensor) -> float:  # noqa: ARG002 - for those that look at the first batch
        """Adjust the untrained weights to the first batch; the factor is what `rescale` does the same with."""
        return 1.0

    def rescale(self, factor: float) -> None:
        """Repeat on another untrained copy what `begin` did."""

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """Optimisers that the task steps itself, in `training_step`, by name; the same objects at every call.

        The trainer leaves their parameters alone, and saves and restores their state with the run's.
        """
        return {}

    def on_epoch_start(self, epoch: Epoch) -> Relabelled | None:  # noqa: ARG002 - for those that relabel their data
        """Called before the first step of every epoch. What it returns holds until the next one, and is saved."""
        return None

    @abstractmethod
    def views(self, images: Tensor, rng: torch.Generator, targets: Tensor | None = None) -> Views:
        """Windows (B, 3, drawn, drawn) uint8 -> what the network sees. `rng` is a CPU generator, for any device.

        `targets` are those of the images, (B,) or (B, K), for tasks that have some.
        """

    @abstractmethod
    def loss(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        """Named scalar terms; the trainer minimises their sum and plots each one."""

    def training_step(self, views: Views, outputs: Tensor) -> dict[str, Tensor]:
        """Fill the gradients of one step and return the terms; for adversarial terms a task does it its own way."""
        terms = self.loss(outputs, views.target)
        torch.autograd.backward(torch.stack(list(terms.values())).sum())
        return terms

    @abstractmethod
    def measure(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        """What is told of held-out images: named values, images along the first axis; the others are averaged.

        A value may be NaN for images of which it is not defined; these are left out.
        """

    def giveaways(self, images: Tensor, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:  # noqa: ARG002
        """What parts of a puzzle should not tell alone, by the name of its error on the card: features of the parts
        (B, parts, F), and what a linear map is to read from them (B, parts, T). Held-out crops as in `views`.
        """
        return {}

    def chance(self) -> dict[str, float]:
        """What guessing gives of the measures, where that is known."""
        return {}

    def facts(self) -> dict[str, Any]:
        """What a card says of a trained task beyond its settings: what was drawn for it, and hashes of that."""
        return {}

    def adopt(self, trained: "Task") -> None:
        """Take from a trained copy what it found out about its images and is no weight, to be scored alike."""

    @abstractmethod
    def puzzle(self, views: Views, which: int) -> Puzzle:
        """The first image's puzzle, as people look at it; `which` picks one where a view holds several."""

    @abstractmethod
    def answer(self, outputs: Tensor, views: Views, which: int) -> Answer:
        """What the network says to that puzzle."""

    @abstractmethod
    def architecture(self) -> dict[str, Any]:
        """The fields `architecture`, `encoder`, `head` of the card, from which the network can be built again.

        `head` is None where the head is only of use to the task; `load_task` of `models/checkpoints/storage.py` builds
        it again from the config.
        """

    @abstractmethod
    def head_layers(self) -> tuple[LayerCard, ...]:
        """The layers of the head that can be looked at, in forward order; `module` is relative to the head."""

    @abstractmethod
    def preprocess(self) -> Preprocess:
        """How inference prepares pixels for this task's networks."""
