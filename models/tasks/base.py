"""What every pretext task is: a transform that invents its own label, a head, and a loss."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from models.card import LayerCard, Preprocess
from models.recipes import CountingConfig


@dataclass(frozen=True)
class Views:
    """What the network is shown for a batch, and the right answer where there is one."""

    inputs: Tensor
    target: Tensor | None = None


class Task(nn.Module, ABC):
    """An encoder, a head, and a puzzle. Views are made for a whole batch, on the device that holds the images."""

    name: ClassVar[str]
    paper: ClassVar[str]
    encoder: nn.Module
    head: nn.Module

    @classmethod
    @abstractmethod
    def build(cls, config: CountingConfig, rng: torch.Generator) -> Self:
        """The untrained task, its weights drawn from `rng`."""

    def begin(self, views: Tensor) -> float:  # noqa: ARG002 - for those that look at the first batch
        """Adjust the untrained weights to the first batch; the factor is what `rescale` does the same with."""
        return 1.0

    def rescale(self, factor: float) -> None:
        """Repeat on another untrained copy what `begin` did."""

    @abstractmethod
    def views(self, images: Tensor, rng: torch.Generator) -> Views:
        """Crops (B, 3, crop, crop) uint8 -> what the network sees. `rng` is a CPU generator, for any device."""

    @abstractmethod
    def loss(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        """Named scalar terms; the trainer minimises their sum and plots each one."""

    @abstractmethod
    def architecture(self) -> dict[str, Any]:
        """The fields `architecture`, `encoder`, `head` of the card, from which the network can be built again."""

    @abstractmethod
    def head_layers(self) -> tuple[LayerCard, ...]:
        """The layers of the head that can be looked at, in forward order; `module` is relative to the head."""

    @abstractmethod
    def preprocess(self) -> Preprocess:
        """How inference prepares pixels for this task's networks."""
