"""A ball: a shaded sphere with a pattern that is wrapped around it."""

from typing import Final

import numpy as np

from models.countables.ellipsoids import Oval, OvalPatch, oval_patch
from models.countables.values import CLOTH, Floats, Light, Split, Sprite, cloth

PATTERNS: Final = ("plain", "beach", "stripe", "dots", "marble", "halves")
COLOURS: Final = np.array(
    [
        (0.80, 0.14, 0.12),
        (0.92, 0.52, 0.10),
        (0.93, 0.80, 0.16),
        (0.22, 0.58, 0.24),
        (0.14, 0.52, 0.56),
        (0.14, 0.28, 0.64),
        (0.48, 0.22, 0.56),
        (0.86, 0.42, 0.56),
        (0.92, 0.90, 0.86),
        (0.16, 0.16, 0.18),
    ],
    np.float32,
)


def draw(rng: np.random.Generator, size: float, light: Light, _split: Split) -> Sprite:
    """A ball `size` fine pixels across; both splits have the same patterns."""
    pattern = str(rng.choice(PATTERNS))
    first, second = COLOURS[rng.permutation(len(COLOURS))[:2]]
    turn = _rotation(rng)
    shift, gloss = rng.integers(0, CLOTH, 2), float(rng.uniform(0.1, 0.6))
    side = int(np.ceil(size)) + 4
    seen = oval_patch(Oval(side / 2, side / 2, size / 2, size / 2), side, side, 0.995)
    share = _pattern(pattern, seen, turn, float(rng.uniform(0.25, 0.6)))
    grain = _wrapped(seen, turn, shift)
    albedo = (first + (second - first) * share[..., None]) * (1 + 0.06 * grain)[..., None]
    bright = light.on(seen.nx, seen.ny, seen.nz)
    glint = gloss * light.glint(seen.nx, seen.ny, seen.nz, 28)
    # The ground throws light back from below: the rim is never black.
    shade = np.maximum(bright, 0.3) * (0.68 + 0.32 * np.sqrt(seen.nz))
    colour = np.zeros((side, side, 3), np.float32)
    alpha = np.zeros((side, side), np.float32)
    colour[seen.window] = albedo * shade[..., None] + glint[..., None]
    alpha[seen.window] = seen.cover
    return Sprite("ball", colour, alpha, (), pattern)


def _rotation(rng: np.random.Generator) -> Floats:
    """A rotation of space, evenly drawn."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    return (q * np.sign(np.diag(r))).astype(np.float32)


def _turned(seen: OvalPatch, turn: Floats) -> tuple[Floats, Floats, Floats]:
    x, y, z = (turn[i, 0] * seen.nx + turn[i, 1] * seen.ny + turn[i, 2] * seen.nz for i in range(3))
    return x, y, z


def _pattern(pattern: str, seen: OvalPatch, turn: Floats, share: float) -> Floats:
    """0 where the first colour is, 1 where the second is, soft between."""
    x, y, z = _turned(seen, turn)
    match pattern:
        case "beach":
            signed = np.sin(3 * np.arctan2(y, x)) * np.sqrt(np.maximum(1 - z * z, 0))
        case "stripe":
            signed = share - np.abs(z)
        case "halves":
            signed = z
        case "dots":
            signed = np.sin(5 * x) * np.sin(5 * y) * np.sin(5 * z) * 2 - 0.35
        case "marble":
            signed = 0.5 * np.sin(4 * x + 3 * np.sin(3 * y + 2 * z))
        case _:
            signed = np.full_like(x, -1)
    soft: Floats = np.clip(signed / 0.06 + 0.5, 0, 1).astype(np.float32)
    return soft


def _wrapped(seen: OvalPatch, turn: Floats, shift: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    """The cloth's noise laid around the ball."""
    x, y, z = _turned(seen, turn)
    rows = (np.arctan2(y, x) * 90 + shift[0]).astype(int) % CLOTH
    columns = (np.arcsin(np.clip(z, -1, 1)) * 90 + shift[1]).astype(int) % CLOTH
    wrapped: Floats = cloth()[rows, columns]
    return wrapped
