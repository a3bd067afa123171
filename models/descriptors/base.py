"""A descriptor: a fixed function from an image to numbers, of which nothing was learned. Free of torch."""

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from models.card import Card, LayerCard, Preprocess
from models.geometry import Box

Floats = NDArray[np.float32]


class Descriptor(ABC):
    """One layer of `units` numbers, of the central square of an image; `settings` is a dataclass."""

    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    side: int
    settings: Any

    @property
    @abstractmethod
    def units(self) -> int:
        """Length of the vector."""

    @abstractmethod
    def describe(self, jpeg: bytes, box: Box | None = None) -> tuple[Floats, Box]:
        """The vector (units,) of a stored JPEG's central square, or of a box's; and the square.

        Raises ValueError where the box lies outside the image.
        """

    def card(self, weights_sha256: str) -> Card:
        """The card under which it is registered: an encoder with settings, and no weights."""
        return Card(
            name=self.name,
            architecture=self.name,
            encoder=asdict(self.settings),
            head=None,
            task=None,
            recipe=None,
            config={},
            layers=(LayerCard(self.name, self.units, "fc", self.name, path="trunk"),),
            preprocess=Preprocess(self.side, self.side, self.side, None, "per_crop"),
            weights_sha256=weights_sha256,
            dtype="none",
            provenance={"learned_weights": 0, "images_trained": 0, "steps": 0, "paper": self.paper},
        )
