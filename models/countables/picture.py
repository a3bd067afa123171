"""From a layout to pixels: shadows, one light, reduction by area, and camera noise over everything alike."""

from typing import Final

import numpy as np

from models.countables.grounds import LaidGround
from models.countables.layout import Placed
from models.countables.values import FINE, SIDE, Floats, Light, blurred, grid, reduced

REACH: Final = 0.10  # how far a shadow is thrown, of the object's size, under a light at 45 degrees
DARK: Final = 0.5  # what the shadow takes away of the light
CONTACT: Final = 0.35  # what the crevice between object and ground takes away
FALLOFF: Final = 0.10  # how much brighter the side towards the light is

Image = np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]


def render(
    ground: LaidGround, placed: list[Placed], light: Light, contrast: float, noise: np.random.Generator
) -> Image:
    """The finished scene, (256, 256, 3) uint8. `contrast` scales the difference that the objects make."""
    canvas = ground.pixels.copy()
    for one in placed:
        _shadow(canvas, one, light)
        _lay(canvas, one)
    if contrast != 1:
        canvas = ground.pixels + np.float32(contrast) * (canvas - ground.pixels)
    x, y = grid(SIDE * FINE, SIDE * FINE)
    canvas *= (1 + FALLOFF * ((x / SIDE / FINE - 0.5) * light.x + (y / SIDE / FINE - 0.5) * light.y))[..., None]
    small = reduced(canvas) / np.float32(FINE**2)
    small += _noise(noise)
    return np.asarray(np.clip(small * 255 + 0.5, 0, 255), dtype=np.uint8)


def _noise(rng: np.random.Generator) -> Floats:
    """One camera's noise: the same strength everywhere, mostly in brightness, a little in colour."""
    strength = np.float32(rng.uniform(1.5, 4.5) / 255)
    grey = rng.standard_normal((SIDE, SIDE, 1), np.float32)
    colour = rng.standard_normal((SIDE, SIDE, 3), np.float32)
    return np.asarray(strength * (0.9 * grey + 0.44 * colour), dtype=np.float32)


def _shadow(canvas: Floats, one: Placed, light: Light) -> None:
    """Darken what lies under the object: a soft patch away from the light, and a tight one where it touches."""
    alpha = one.sprite.alpha
    size = max(alpha.shape)
    pad = int(size * 0.3) + 4
    padded = np.pad(alpha, pad)
    throw = REACH * size / light.z
    thrown = np.roll(blurred(padded, 0.05 * size), (round(-light.y * throw), round(-light.x * throw)), (0, 1))
    close = blurred(padded, 0.025 * size + 0.5)
    left, top = one.left - pad, one.top - pad
    rows = slice(max(0, top), min(canvas.shape[0], top + padded.shape[0]))
    columns = slice(max(0, left), min(canvas.shape[1], left + padded.shape[1]))
    cut = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    kept = (1 - DARK * (1 - light.ambient) / 0.5 * thrown[cut]) * (1 - CONTACT * close[cut])
    canvas[rows, columns] *= kept[..., None]


def _lay(canvas: Floats, one: Placed) -> None:
    height, width = one.sprite.alpha.shape
    rows = slice(max(0, one.top), min(canvas.shape[0], one.top + height))
    columns = slice(max(0, one.left), min(canvas.shape[1], one.left + width))
    cut = slice(rows.start - one.top, rows.stop - one.top), slice(columns.start - one.left, columns.stop - one.left)
    cover = one.sprite.alpha[cut][..., None]
    canvas[rows, columns] += (np.clip(one.sprite.colour[cut], 0, 1) - canvas[rows, columns]) * cover
