"""A fallen leaf: an outline along a midrib, folded a little, with veins and an autumn colour."""

from typing import Final

import numpy as np

from models.countables.values import Floats, Light, Split, Sprite, texture

COLOURS: Final = np.array(
    [
        (0.24, 0.46, 0.14),
        (0.40, 0.56, 0.18),
        (0.62, 0.62, 0.18),
        (0.86, 0.68, 0.14),
        (0.84, 0.44, 0.12),
        (0.70, 0.20, 0.12),
        (0.46, 0.30, 0.16),
    ],
    np.float32,
)
STALK: Final = 0.16  # of the length


def draw(rng: np.random.Generator, size: float, light: Light, _split: Split) -> Sprite:
    """A leaf whose longer side is `size` fine pixels; both splits have the same leaves."""
    width, belly, teeth, lobes = (float(n) for n in rng.uniform((0.2, 0.7, 0, 0), (0.34, 1.3, 0.05, 1)))
    frequency = float(rng.integers(9, 16))
    bend, angle = float(rng.normal(0, 0.16)), float(rng.uniform(0, 2 * np.pi))
    fold, curl = float(rng.uniform(0.15, 0.5)), float(rng.uniform(-0.3, 0.3))
    hue = float(rng.uniform(0, len(COLOURS) - 1.001))
    lobed = lobes > 0.6

    def half_width(t: Floats) -> Floats:
        """Half the leaf's width at a place from 0 (stalk) to 1 (tip)."""
        shape = width * np.maximum(np.sin(np.pi * np.clip(t, 0, 1) ** belly), 0) ** (0.75 if not lobed else 0.9)
        wave = 1 - 0.42 * np.cos(2 * np.pi * 3 * t) ** 2 if lobed else 1 - teeth * np.abs(np.sin(np.pi * frequency * t))
        return np.asarray(shape * wave, dtype=np.float32)

    t, v, height, patch_width, scale = _frame(half_width, bend, angle, size)
    half = half_width(t)
    cloth = texture(rng, height, patch_width, size / 160)
    inside = np.where((t > 0) & (t < 1), half - np.abs(v), -np.abs(v) - np.maximum(np.maximum(-t, t - 1), 0))
    stalk = np.where((t > -STALK) & (t <= 0.05), 0.016 + 0.5 / scale - np.abs(v), -1)
    alpha = np.clip(np.maximum(inside, stalk) * scale / 1.6 + 0.5, 0, 1).astype(np.float32)
    rib = np.clip(1 - np.abs(v) * scale / (0.012 * scale + 0.8), 0, 1)
    side = np.abs((t * 8 - np.abs(v) * 7) % 1 - 0.5) * 2
    veins = np.maximum(rib, 0.5 * np.clip(1 - side * 4.5, 0, 1) * (half > 0.03)).astype(np.float32)
    first = int(hue)
    base = COLOURS[first] + (COLOURS[first + 1] - COLOURS[first]) * np.clip(hue - first + 0.25 * cloth, 0, 1)[..., None]
    # Folded along the rib: one half faces the light, the other turns away from it.
    across = np.sign(v) * fold * np.clip(np.abs(v) * scale / 2, 0, 1) + curl * (t - 0.5)
    nx, ny = across * -np.sin(angle), across * np.cos(angle)
    nz = 1 / np.sqrt(1 + across**2)
    shade = light.on((nx * nz).astype(np.float32), (ny * nz).astype(np.float32), nz.astype(np.float32))
    pale = (1 + 0.5 * veins) * (1 + 0.07 * cloth)
    colour = base * (shade * pale)[..., None] + np.float32(0.05) * veins[..., None]
    return Sprite("leaf", colour.astype(np.float32), alpha, (), "lobed" if lobed else "toothed")


def _frame(half_width: object, bend: float, angle: float, size: float) -> tuple[Floats, Floats, int, int, float]:
    """Place along the rib and beside it for every pixel of a patch that the leaf just fills."""
    assert callable(half_width)
    along = np.linspace(0, 1, 200, dtype=np.float32)
    half = half_width(along)
    xs = np.concatenate([along, along, [-STALK]]) - 0.5
    ys = np.concatenate([half, -half, [0]]) + bend * (1 - 4 * (xs * xs))
    c, s = np.cos(angle), np.sin(angle)
    px, py = xs * c - ys * s, xs * s + ys * c
    scale = size / max(float(np.ptp(px)), float(np.ptp(py)))
    width, height = int(np.ceil(np.ptp(px) * scale)) + 4, int(np.ceil(np.ptp(py) * scale)) + 4
    x = (np.arange(width, dtype=np.float32)[None, :] - 1.5) / scale + px.min()
    y = (np.arange(height, dtype=np.float32)[:, None] - 1.5) / scale + py.min()
    u, v = x * c + y * s, y * c - x * s
    return (u + 0.5).astype(np.float32), (v - bend * (1 - 4 * u * u)).astype(np.float32), height, width, scale
