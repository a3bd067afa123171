"""A puzzle in a form for people: pictures, a question, the right answer, and a network's answer. Free of torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PuzzlePicture:
    """A picture of a puzzle: pixels (H, W, 3) uint8 and a caption."""

    caption: str
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Puzzle:
    """The pictures of a puzzle and its question. `choices` are empty where the answer is a picture; `right` is an
    index.

    `columns` is how many pictures stand side by side; `solution` draws the right answer.
    """

    question: str
    shown: tuple[PuzzlePicture, ...]
    columns: int
    choices: tuple[str, ...] = ()
    right: int | None = None
    solution: tuple[PuzzlePicture, ...] = ()


@dataclass(frozen=True)
class PuzzleAnswer:
    """A network's answer to a puzzle: probabilities of the choices, or pictures; `words` sums it up."""

    words: str
    probabilities: tuple[float, ...] = ()
    drawn: tuple[PuzzlePicture, ...] = ()

    @property
    def choice(self) -> int | None:
        """The place of the most probable choice."""
        return int(np.argmax(self.probabilities)) if self.probabilities else None


@dataclass(frozen=True)
class Pose:
    """Which puzzle is made: the seed of its views, which one of several, and the image's label where it has one.

    `names` are the labels to choose from where no network has its own.
    """

    seed: int = 0
    which: int = 0
    label: str | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Posed:
    """A puzzle, and a network's answer where one was asked for."""

    puzzle: Puzzle
    answer: PuzzleAnswer | None
