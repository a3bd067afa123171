"""Draw a scene from a seed: choose ground, light and objects, lay them out, render them, and record what is there."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from models.countables import ball, coin, critter, leaf
from models.countables.grounds import BY_NAME, lay, of
from models.countables.layout import Placed, SceneLayout, coarse, place, scattered
from models.countables.masks import bounds, runs
from models.countables.picture import Image, render
from models.countables.values import FINE, KINDS, SIDE, Kind, Light, Mask, Split, Sprite

SMALLEST: Final[dict[Kind, float]] = {"critter": 0.16, "coin": 0.06, "ball": 0.06, "leaf": 0.07}
LARGEST: Final = 0.45
MOST: Final = 9
CROWD: Final = 0.95  # size times the root of the number stays below this, so that a scene never fills up
DRAW: Final = {"critter": critter.draw, "coin": coin.draw, "ball": ball.draw, "leaf": leaf.draw}

# What randomness is for: each purpose has its own stream, so that changing one factor leaves the others as they are.
GROUND, LIGHT, NOISE, FACTORS, OBJECT, PLACE = range(6)


@dataclass(frozen=True)
class Actor:
    """An object to be drawn: its kind, its longer side as a share of the scene's, and its place if that is fixed."""

    kind: Kind
    size: float
    at: tuple[float, float] | None = None


@dataclass(frozen=True)
class ScenePlan:
    """Everything that decides a scene. `level` is the level of the factor that the sweep varies."""

    seed: int
    split: Split
    ground: str
    actors: tuple[Actor, ...]
    contrast: float = 1.0
    sweep: str | None = None
    level: float | str | None = None


class Drawn(NamedTuple):
    """A finished scene: pixels (256, 256, 3) uint8, the plan that decided it, and the objects that can be seen."""

    image: Image
    scene: dict[str, Any]
    truth: dict[str, Any]


def stream(seed: int, purpose: int, *more: int) -> np.random.Generator:
    """The random generator of one seed for one purpose."""
    return np.random.default_rng([seed, purpose, *more])


def draw(seed: int, split: Split = "train") -> Drawn:
    """A mixed scene: 0-9 objects of mixed kinds and sizes on a ground of the split."""
    return finish(mixed(seed, split))


def mixed(seed: int, split: Split) -> ScenePlan:
    """The plan of a mixed scene."""
    rng = stream(seed, FACTORS)
    grounds = of(split)
    ground = grounds[int(rng.integers(len(grounds)))].name
    number = int(rng.integers(MOST + 1))
    contrast = 1.0 if rng.random() < 0.7 else round(float(rng.uniform(0.8, 1)), 2)
    chosen = rng.permutation(len(KINDS))[: int(rng.choice([1, 2, 3, 4], p=[0.4, 0.2, 0.2, 0.2]))]
    most = min(LARGEST, CROWD / max(1, number) ** 0.5)
    scale = float(np.exp(rng.uniform(np.log(0.07), np.log(most))))
    actors = []
    for _ in range(number):
        kind = KINDS[int(rng.choice(chosen))]
        size = scale * float(np.exp(rng.uniform(-0.3, 0.3)))
        actors.append(Actor(kind, round(float(np.clip(size, SMALLEST[kind], most)), 4)))
    return ScenePlan(seed, split, ground, tuple(actors), contrast)


def finish(plan: ScenePlan) -> Drawn:
    """Lay out, render and describe a plan."""
    light = Light.drawn(stream(plan.seed, LIGHT))
    ground = lay(BY_NAME[plan.ground], stream(plan.seed, GROUND))
    layout = SceneLayout()
    for index, actor in enumerate(plan.actors):
        new = _placed(plan, layout, index, actor, light)
        if new is not None:
            layout.add(new)
    image = render(ground, layout.placed, light, plan.contrast, stream(plan.seed, NOISE))
    truth = _truth(layout)
    return Drawn(image, _scene(plan, layout, light, ground.crop), truth)


def sprite(plan: ScenePlan, index: int, actor: Actor, light: Light) -> Sprite:
    """The object as it looks in every scene of this seed, at the actor's size."""
    return DRAW[actor.kind](stream(plan.seed, OBJECT, index), actor.size * SIDE * FINE, light, plan.split)


def _placed(plan: ScenePlan, layout: SceneLayout, index: int, actor: Actor, light: Light) -> Placed | None:
    drawn = sprite(plan, index, actor, light)
    if actor.at is not None:
        return place(drawn, *actor.at)
    return scattered(layout, drawn, stream(plan.seed, PLACE, index))


def _scene(
    plan: ScenePlan, layout: SceneLayout, light: Light, crop: tuple[int, int, int, int] | None
) -> dict[str, Any]:
    kinds = [one.sprite.kind for one in layout.placed]
    sizes = [actor.size for actor in plan.actors]
    return {
        "seed": plan.seed,
        "split": plan.split,
        "ground": plan.ground,
        "ground_kind": BY_NAME[plan.ground].kind,
        "ground_crop": None if crop is None else list(crop),
        "light": [round(n, 4) for n in (light.x, light.y, light.z, light.ambient)],
        "contrast": plan.contrast,
        "number": len(kinds),
        "kinds": {kind: kinds.count(kind) for kind in KINDS if kind in kinds},
        "size": round(float(np.mean(sizes)), 4) if sizes else None,
        "sweep": plan.sweep,
        "level": plan.level,
    }


def _truth(layout: SceneLayout) -> dict[str, Any]:
    return {
        "width": SIDE,
        "height": SIDE,
        "objects": [_object(layout, index, placed) for index, placed in enumerate(layout.placed)],
    }


def _object(layout: SceneLayout, index: int, one: Placed) -> dict[str, Any]:
    mine = layout.owner[one.window] == index
    parts = []
    for number, part in enumerate(one.sprite.parts):
        _, shape = coarse(part.shape, one.left, one.top)
        _, seen = coarse(part.seen, one.left, one.top)
        described = _described(one.window, shape, seen & shape & mine)
        parts.append({"id": f"{index}.{number}", "kind": part.kind} | described)
    described = _described(one.window, one.shape, mine)
    # Depth counts from the nearest: 0 has nothing before it.
    depth = len(layout.placed) - 1 - index
    head = {"id": str(index), "kind": one.sprite.kind, "look": one.sprite.look, "depth": depth}
    return head | described | {"parts": parts}


def _described(window: tuple[slice, slice], shape: Mask, seen: Mask) -> dict[str, Any]:
    """The box of the whole shape, its area in pixels, the share of it that is visible, and the visible pixels in the
    box.
    """
    found = bounds(shape | seen)
    if found is None:  # too small to own a pixel
        return {"box": [0, 0, 0, 0], "area": 0, "visible": 0.0, "rle": []}
    left, top, right, bottom = found
    area, visible = int((shape | seen).sum()), int(seen.sum())
    x, y = window[1].start, window[0].start
    return {
        "box": [left + x, top + y, right + x, bottom + y],
        "area": area,
        "visible": round(visible / area, 6),
        "rle": runs(seen[top:bottom, left:right]),
    }
