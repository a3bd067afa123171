"""Where objects lie in a scene and which hides which, on the pixels of the finished scene.

A pixel belongs to the nearest object that covers half of it. All that the scene records as its truth follows from this.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.countables.values import FINE, SIDE, Mask, Sprite, reduced

MOST_HIDDEN: Final = 0.6  # of an object's area, by the objects before it
LINE_SHARE: Final = 0.35  # of objects are drawn to a line between tiles
NEIGHBOUR_SHARE: Final = 0.25  # are drawn to another object
DRAWS: Final = 40


@dataclass(frozen=True)
class Placed:
    """A sprite and its place, in fine pixels, with the pixels of the finished scene that its shape covers."""

    sprite: Sprite
    left: int
    top: int
    window: tuple[slice, slice]  # rows and columns of the finished scene
    shape: Mask

    @property
    def area(self) -> int:
        """How many pixels of the finished scene it would cover if nothing lay in front of it."""
        return int(self.shape.sum())


@dataclass
class SceneLayout:
    """The objects from the farthest to the nearest, and to which of them each pixel belongs (-1: the ground)."""

    placed: list[Placed] = field(default_factory=list)
    owner: np.ndarray[tuple[int, int], np.dtype[np.int16]] = field(
        default_factory=lambda: np.full((SIDE, SIDE), -1, np.int16)
    )

    def fits(self, new: Placed, hidden: float = MOST_HIDDEN) -> bool:
        """Whether adding the object would leave no object hidden by more than the allowed share."""
        under = self.owner[new.window][new.shape]
        for index in np.unique(under[under >= 0]):
            left = int((self.owner == index).sum()) - int((under == index).sum())
            if left < (1 - hidden) * self.placed[index].area:
                return False
        return True

    def add(self, new: Placed) -> None:
        """Add an object in front of all others."""
        self.owner[new.window][new.shape] = len(self.placed)
        self.placed.append(new)


def place(sprite: Sprite, x: float, y: float) -> Placed:
    """The sprite with its middle at that share of the scene, moved inside where it would stick out."""
    height, width = sprite.alpha.shape
    whole = SIDE * FINE
    # The patch's margin may stick out, the object may not.
    left = int(np.clip(round(x * whole - width / 2), -2, whole - width + 2))
    top = int(np.clip(round(y * whole - height / 2), -2, whole - height + 2))
    window, shape = coarse(sprite.alpha >= 0.5, left, top)
    return Placed(sprite, left, top, window, shape)


def coarse(mask: Mask, left: int, top: int) -> tuple[tuple[slice, slice], Mask]:
    """A fine mask at a place: the window of the finished scene around it, and the pixels covered at least half."""
    height, width = mask.shape
    first_row, first_column = max(0, top // FINE), max(0, left // FINE)
    rows = min(SIDE, -(-(top + height) // FINE)) - first_row
    columns = min(SIDE, -(-(left + width) // FINE)) - first_column
    fine = np.zeros((rows * FINE, columns * FINE), np.uint8)
    down, right = top - first_row * FINE, left - first_column * FINE
    cut = mask[max(0, -down) : rows * FINE - down, max(0, -right) : columns * FINE - right]
    fine[max(0, down) : max(0, down) + cut.shape[0], max(0, right) : max(0, right) + cut.shape[1]] = cut
    share = reduced(fine)
    window = slice(first_row, first_row + rows), slice(first_column, first_column + columns)
    return window, 2 * share >= FINE * FINE


def scattered(layout: SceneLayout, sprite: Sprite, rng: np.random.Generator) -> Placed | None:
    """A place for one more object at which it hides none of the others too much; None where no drawn place does."""
    for x, y in _draws(layout, sprite, rng):
        new = place(sprite, x, y)
        if layout.fits(new):
            return new
    return None


def _draws(layout: SceneLayout, sprite: Sprite, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
    """Places to try: some across a line between tiles, some touching another object, the rest anywhere."""
    size = max(sprite.alpha.shape) / (SIDE * FINE)
    wish = rng.random()
    for _ in range(DRAWS):
        x, y = (float(n) for n in rng.uniform(size / 2, 1 - size / 2, 2))
        if wish < LINE_SHARE:
            on = 0.5 + float(rng.uniform(-0.35, 0.35)) * size
            across = int(rng.integers(3))  # the upright line, the level line, both
            x, y = (on if across != 1 else x), (on if across != 0 else y)
        elif wish < LINE_SHARE + NEIGHBOUR_SHARE and layout.placed:
            other = layout.placed[int(rng.integers(len(layout.placed)))]
            apart, angle = float(rng.uniform(0.55, 1.0)), float(rng.uniform(0, 2 * np.pi))
            reach = apart * (size + max(other.sprite.alpha.shape) / (SIDE * FINE)) / 2
            height, width = other.sprite.alpha.shape
            x = (other.left + width / 2) / (SIDE * FINE) + reach * np.cos(angle)
            y = (other.top + height / 2) / (SIDE * FINE) + reach * np.sin(angle)
        yield float(x), float(y)
