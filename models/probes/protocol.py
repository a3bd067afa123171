"""How a probe measures: input size, crops, neighbours, and the budget of its linear classifiers. Free of torch.

Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016, https://arxiv.org/abs/1603.08511, and "Split-Brain
Autoencoders", CVPR 2017, https://arxiv.org/abs/1611.09842: maps after the ReLU brought to about 9,000 numbers, batch
norm without scale and shift, one linear layer each, all layers in one run; SGD at .01 with momentum .9 and a weight
decay of 5e-4, a tenth of the rate every 40,000 of 140,000 steps of 256 images. Kept: all of it but the number of
steps, to which the drops are scaled. Changed: maps are averaged over cells (theirs are resized); of each image to learn
from a few crops are drawn once, so that images are read once for all layers and seeds; channels are normalised by the
mean and deviation of all those crops instead of each batch's.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from models.probes.knn import TEMPERATURE, K

DIMENSIONS: Final = 9000
PAPER_SIDE: Final = 227
PAPER_SHORT: Final = 256
LEAST_SIDE: Final = 32
LR: Final = 0.01
MOMENTUM: Final = 0.9
WEIGHT_DECAY: Final = 5e-4
DROPS: Final = (40 / 140, 80 / 140, 120 / 140)  # of the budget
BATCH: Final = 256


@dataclass(frozen=True)
class Protocol:
    """The settings that two probes must share to be compared.

    `side`: pixels of the crop that the network is given; None: 227, or as much less as the gallery's images are
    smaller. `views`: crops of each training image, the middle one first. `train` and `test`: images, at most.
    """

    side: int | None = None
    views: int = 2
    steps: int = 600
    seeds: tuple[int, ...] = (0, 1, 2)
    train: int = 5000
    test: int = 2000
    target: str | None = None
    k: int = K
    temperature: float = TEMPERATURE
    lr: float = LR
    batch: int = BATCH

    @property
    def key(self) -> str:
        """Equal for equal protocols: 12 hexadecimal digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> "Protocol":
        """From a spec or a file that holds at least these fields. Raises KeyError, TypeError."""
        return cls(**{**{name: raw[name] for name in cls.__dataclass_fields__}, "seeds": tuple(raw["seeds"])})

    @property
    def least(self) -> int:
        """The fewest training images: as many as neighbours vote."""
        return self.k


def cells(channels: int, side: int) -> int:
    """Side of the square that a layer's map of `side` cells is averaged to, so that about 9,000 numbers are left.

    At 227 px AlexNet's five layers get 10, 6, 5, 5 and 6: the paper's 9600, 9216, 9600, 9600 and 9216 numbers. A map
    that is smaller keeps its own size.
    """
    return max(1, min(side, round(math.sqrt(DIMENSIONS / channels))))


def rate(step: int, steps: int, lr: float = LR) -> float:
    """The learning rate of a step, 0 to steps - 1: a tenth after each of the paper's drops, scaled to the budget."""
    return float(lr * 0.1 ** sum(step >= drop * steps for drop in DROPS))


def side_for(shorter: int) -> int:
    """The crop for images with this shorter side: the paper's 227 of 256, or the same share of less."""
    return max(LEAST_SIDE, min(PAPER_SIDE, round(shorter * PAPER_SIDE / PAPER_SHORT)))


def short_for(side: int) -> int:
    """The shorter side that images are brought to before a crop of `side` is taken."""
    return round(side * PAPER_SHORT / PAPER_SIDE)
