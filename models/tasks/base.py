"""A pretext task: a transform that makes its own labels from images, a head, and a loss."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import Tensor, nn

from models.card import Card, LayerCard, Preprocess
from models.puzzles import Puzzle, PuzzleAnswer
from models.recipes.base import ImageConfig
from models.tasks.scoring import evaluate_task
from models.tasks.validation import FixedViews, HeldOut, Scored, Watched, puzzle_views, watched


class Windows(Protocol):
    """The source of training crops: windows (B, 3, size, size) uint8 of images by index, on the images' device."""

    side: int
    extents: Tensor  # (N,) how many of `side` pixels image i really has

    def crops(self, indices: Tensor, tops: Tensor, lefts: Tensor, size: int) -> Tensor: ...


@dataclass(frozen=True)
class Views:
    """The network's input for a batch, images along the first axis, and the right answer where there is one."""

    inputs: Tensor
    target: Tensor | None = None


@dataclass(frozen=True)
class Epoch:
    """What a task is given before an epoch: its number from 0, all training images, the optimiser, the last targets."""

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

    `names` are those of the classes where targets are labels of the images, `majority` is the share of the commonest
    class; both are set by the training. `first_curves` are the measures of validation that come first on the card.
    """

    name: ClassVar[str]
    paper: ClassVar[str]
    encoder: nn.Module
    head: nn.Module
    config: ImageConfig
    puzzles_an_image: ClassVar[int] = 1  # drawn of each held-out image when the finished network is measured
    first_curves: ClassVar[tuple[str, ...]] = ("held_out_loss", "conv1_tv_ratio")  # on the card, before all others
    names: tuple[str, ...] = ()
    majority: float | None = None

    @classmethod
    @abstractmethod
    def build(cls, config: Any, rng: torch.Generator) -> Self:
        """The untrained task of its own config, its weights drawn from `rng`."""

    def begin(self, views: Tensor) -> Mapping[str, float]:  # noqa: ARG002 - for those that look at the first batch
        """Adjust the untrained weights to the first batch. What is returned goes on the card, for `begin_like`."""
        return {}

    def begin_like(self, found: Mapping[str, Any]) -> None:
        """Repeat on another untrained copy what `begin` did, from what it returned or a card that records it."""

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
        """Named values for held-out images, with the images along the first axis; other axes are averaged.

        A value may be NaN for images for which it is not defined; these are left out.
        """

    def shortcuts(self, images: Tensor, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:  # noqa: ARG002
        """What single parts of a puzzle should not reveal, by the name of its error on the card.

        Each is a pair: features of the parts (B, parts, F), and what a linear map is to read from them (B, parts, T).
        The images are held-out crops as in `views`.
        """
        return {}

    def watch(self, images: HeldOut, fixed: int, card: Card) -> Watched:  # noqa: ARG002 - for those that show an image
        """The measures of held-out images while the network trains; neither weights nor random numbers are changed."""
        return watched(self, images, card)

    def fixed_views(self, images: HeldOut, fixed: int, card: Card) -> FixedViews:
        """The views of the held-out image at the place `fixed`, as pictures."""
        return puzzle_views(self, images, fixed, card)

    def score(self, untrained: "Task", images: HeldOut, card: Card, tick: Callable[[str], None]) -> Scored:  # noqa: ARG002
        """The measures of a finished network for its card, beside those of the same network `untrained`."""
        measured = evaluate_task(self, untrained, images.regions, images.targets, seed=images.seed, tick=tick)
        return Scored(measured)

    def chance(self) -> dict[str, float]:
        """The measures that guessing gives, where they are known."""
        return {}

    def facts(self) -> dict[str, Any]:
        """What a card records of a trained task beyond its settings: what was drawn for it, and hashes of that."""
        return {}

    def adopt(self, trained: "Task") -> None:
        """Take over from a trained copy what it learned about its images besides weights, so that both are scored
        alike.
        """

    @abstractmethod
    def puzzle(self, views: Views, which: int) -> Puzzle:
        """The first image's puzzle in a form for people; `which` picks one where a view holds several."""

    @abstractmethod
    def answer(self, outputs: Tensor, views: Views, which: int) -> PuzzleAnswer:
        """The network's answer to that puzzle."""

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
