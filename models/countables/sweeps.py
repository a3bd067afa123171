"""Matched sweeps: scenes in which one factor takes several levels and everything else stays as it is.

Scenes of one seed share ground, light, noise and the appearance of their objects; there are ten seeds a level. All
sweeps but the empty ones use what is kept for the test split.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.countables.grounds import BY_NAME, GROUNDS, of
from models.countables.layout import Placed, SceneLayout, place
from models.countables.scenes import LARGEST, LIGHT, PLACE, Actor, ScenePlan, sprite, stream
from models.countables.values import KINDS, Kind, Light, Sprite

SEEDS: Final = 10  # a level
FIXED_SIZE: Final = 0.17
CROSSING: Final = 0.3
LAPPED: Final = 0.28
ROUND: Final[tuple[Kind, ...]] = ("coin", "ball")  # a disc can hide any share of another
TRIES: Final = 400

Level = float | str


@dataclass(frozen=True)
class Cell:
    """One scene of a sweep: which level, and which of the ten seeds."""

    sweep: str
    level: Level
    repeat: int


def cells() -> Iterator[Cell]:
    """All scenes of all sweeps: 600."""
    for sweep, levels in LEVELS.items():
        for level in levels:
            for repeat in range(SEEDS):
                yield Cell(sweep, level, repeat)


def plan_of(cell: Cell, seed_of: Callable[[int], int]) -> ScenePlan:
    """What the scene of a cell holds; `seed_of` gives the seed of every number from 0."""
    seed = seed_of(list(LEVELS).index(cell.sweep) * SEEDS + cell.repeat)
    if cell.sweep == "empty":
        return ScenePlan(seed, BY_NAME[str(cell.level)].split, str(cell.level), (), 1.0, "empty", cell.level)
    grounds = of("test")
    empty = ScenePlan(seed, "test", grounds[cell.repeat % len(grounds)].name, ())
    level = float(cell.level)
    contrast = level if cell.sweep == "contrast" else 1.0
    actors = tuple(_ACTORS[cell.sweep](empty, cell.repeat, level))
    return ScenePlan(seed, "test", empty.ground, actors, contrast, cell.sweep, cell.level)


def _number_fixed_size(empty: ScenePlan, repeat: int, level: float) -> Sequence[Actor]:
    """The first so many of the same nine objects."""
    return _apart(empty, KINDS[repeat % 4], [FIXED_SIZE] * 9)[: int(level)]


def _number_fixed_area(empty: ScenePlan, repeat: int, level: float) -> Sequence[Actor]:
    """Objects that share one total area equally.

    Their places differ between levels, because objects of other sizes need other room.
    """
    kind, light = KINDS[repeat % 4], Light.drawn(stream(empty.seed, LIGHT))
    # What an object of size 1 would take: a leaf takes less of its box than a ball, and one leaf less than another.
    full = [float(sprite(empty, i, Actor(kind, 0.2), light).alpha.sum()) / 0.2**2 for i in range(9)]
    total = min(LARGEST**2 * taken * (i + 1) for i, taken in enumerate(full))
    return _apart(empty, kind, [float((total / level / taken) ** 0.5) for taken in full[: int(level)]])


def _size(_empty: ScenePlan, repeat: int, level: float) -> Sequence[Actor]:
    return [Actor(KINDS[repeat % 4], level, (0.5, 0.5))]


def _contrast(empty: ScenePlan, repeat: int, _level: float) -> Sequence[Actor]:
    return _apart(empty, KINDS[repeat % 4], [0.25] * 3)


def _place(_empty: ScenePlan, repeat: int, level: float) -> Sequence[Actor]:
    """One object along a diagonal: in the middle all four tiles share it, at the ends one tile holds it."""
    slant = 1 if repeat % 2 else -1
    return [Actor(KINDS[repeat % 4], CROSSING, (0.5 + level * CROSSING, 0.5 + slant * level * CROSSING))]


def _overlap(empty: ScenePlan, repeat: int, level: float) -> Sequence[Actor]:
    """The farther object stays, the nearer one moves along a line until it hides the wanted share."""
    kind = ROUND[repeat % 2]
    light, angle = Light.drawn(stream(empty.seed, LIGHT)), float(stream(empty.seed, PLACE).uniform(0, 2 * np.pi))
    along = np.array([np.cos(angle), np.sin(angle)])
    x, y = (float(n) for n in 0.5 - 0.5 * LAPPED * along)
    far, near = (sprite(empty, index, Actor(kind, LAPPED), light) for index in (0, 1))
    still = place(far, x, y)

    def moved(distance: float) -> tuple[float, float]:
        return float(x + distance * along[0]), float(y + distance * along[1])

    close, away = 0.0, 1.3 * LAPPED
    while away - close > 0.001:
        middle = (close + away) / 2
        if _hidden(still, place(near, *moved(middle))) > level:
            close = middle
        else:
            away = middle
    return [Actor(kind, LAPPED, (x, y)), Actor(kind, LAPPED, moved(away))]


def _hidden(far: Placed, near: Placed) -> float:
    """The share of one object's area that another one covers."""
    layout = SceneLayout()
    layout.add(far)
    layout.add(near)
    return 1 - float((layout.owner == 0).sum()) / far.area


def _apart(empty: ScenePlan, kind: Kind, sizes: Sequence[float]) -> list[Actor]:
    """Objects of these sizes that hide nothing of each other."""
    light = Light.drawn(stream(empty.seed, LIGHT))
    actors = [Actor(kind, size) for size in sizes]
    sprites = [sprite(empty, index, actor, light) for index, actor in enumerate(actors)]
    for attempt in range(TRIES):
        found = _thrown(sprites, sizes, stream(empty.seed, PLACE, attempt))
        if found is not None:
            return [replace(actor, at=at) for actor, at in zip(actors, found, strict=True)]
    raise RuntimeError(f"{len(sizes)} objects found no room")


def _thrown(
    sprites: Sequence[Sprite], sizes: Sequence[float], rng: np.random.Generator
) -> list[tuple[float, float]] | None:
    layout, found = SceneLayout(), list[tuple[float, float]]()
    for one, size in zip(sprites, sizes, strict=True):
        for _ in range(TRIES):
            x, y = (float(n) for n in rng.uniform(size / 2, 1 - size / 2, 2))
            new = place(one, x, y)
            if not (layout.owner[new.window][new.shape] >= 0).any():
                layout.add(new)
                found.append((x, y))
                break
        else:
            return None
    return found


LEVELS: Final[Mapping[str, tuple[Level, ...]]] = {
    "number-fixed-size": tuple(float(n) for n in range(10)),
    "number-fixed-area": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 9.0),
    "size": (0.08, 0.11, 0.15, 0.2, 0.27, 0.35, 0.45),
    "contrast": (0.1, 0.2, 0.35, 0.5, 0.75, 1.0),
    "place": (-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0),
    "overlap": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.58),
    "empty": tuple(ground.name for ground in GROUNDS),
}

_ACTORS: Final[Mapping[str, Callable[[ScenePlan, int, float], Sequence[Actor]]]] = {
    "number-fixed-size": _number_fixed_size,
    "number-fixed-area": _number_fixed_area,
    "size": _size,
    "contrast": _contrast,
    "place": _place,
    "overlap": _overlap,
}
