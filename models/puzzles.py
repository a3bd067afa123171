"""A puzzle as people look at it: pictures, a question, the right answer, and what a network answers. Free of torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PuzzlePicture:
    """Something drawn: pixels (H, W, 3) uint8 and what they are."""

    caption: str
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Puzzle:
    """What a network is shown and asked. `choices` are empty where the answer is a picture; `right` is a place in them.

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
    """What a network says to a puzzle: probabilities of the choices, or pictures; `words` sums it up."""

    words: str
    probabilities: tuple[float, ...] = ()
    drawn: tuple[PuzzlePicture, ...] = ()

    @property
    def choice(self) -> int | None:
        """The place of the most probable choice."""
        return int(np.argmax(self.probabilities)) if self.probabilities else None


@dataclass(frozen=True)
class Pose:
    """Which puzzle: the draw of its views, which of several, and the image's label where it has one.

    `names` are the labels to choose from where no network has its own.
    """

    seed: int = 0
    which: int = 0
    label: str | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Posed:
    """A puzzle, and what a network says to it where one was asked."""

    puzzle: Puzzle
    answer: PuzzleAnswer | None
