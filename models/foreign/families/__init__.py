"""The families of architectures that files are compared with; each is told apart by names and shapes alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from models.foreign.families import alexnets, cifar, residual, tessera, torchvision_names, transformers, vgg
from models.foreign.names import Names
from models.foreign.report import Guess


@dataclass(frozen=True)
class Family:
    """One row of the table of recognised families: its title, the names that give it away, and the function that
    decides.
    """

    name: str
    clue: str
    guess: Callable[[Names], Iterator[Guess]]


FAMILIES: tuple[Family, ...] = (
    *(Family(*row) for module in (tessera, alexnets, vgg, residual, cifar, transformers) for row in module.FAMILIES),
    *(Family(*row) for row in torchvision_names.FAMILIES),
)
