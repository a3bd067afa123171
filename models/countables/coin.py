"""The 24 coins of scikit-image's `coins.png`, cut out along outlines that are stored in this folder.

`coins.json` holds a centre and 48 radii a coin, in the photo's pixels, the first to the right, clockwise.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from models.countables.values import Floats, Light, Split, Sprite
from models.galleries.images import open_image
from models.galleries.photo_files import data_folder

HELD_OUT: Final = (2, 5, 8, 11, 14, 17, 20, 23)  # kept for the test split
METALS: Final = np.array(
    [(0.86, 0.86, 0.88), (1.04, 0.84, 0.44), (0.96, 0.62, 0.42), (0.66, 0.66, 0.60), (0.82, 0.72, 0.52)], np.float32
)
INSET: Final = 0.985  # the outline follows the edge itself: stay just inside it, off the dark ground


@dataclass(frozen=True)
class Coin:
    """An outline in the photo's pixels: the centre and radii at even angles."""

    x: float
    y: float
    radii: tuple[float, ...]

    def points(self) -> Floats:
        """The outline, (n, 2)."""
        angle = np.arange(len(self.radii)) * 2 * np.pi / len(self.radii)
        r = np.array(self.radii)
        return np.stack([self.x + 0.5 + r * np.cos(angle), self.y + 0.5 + r * np.sin(angle)], 1).astype(np.float32)

    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        points = self.points()
        left, top, right, bottom = (float(n) for n in (*points.min(0), *points.max(0)))
        return left, top, right, bottom


@lru_cache(1)
def coins() -> tuple[Coin, ...]:
    """All coins, row by row."""
    listed = json.loads(Path(__file__).with_name("coins.json").read_text("utf-8"))
    return tuple(Coin(entry["x"], entry["y"], tuple(entry["radii"])) for entry in listed)


def numbers(split: Split) -> tuple[int, ...]:
    """The coins of a split."""
    return tuple(n for n in range(len(coins())) if (n in HELD_OUT) == (split == "test"))


def draw(rng: np.random.Generator, size: float, light: Light, split: Split) -> Sprite:
    """A coin whose longer side is `size` fine pixels."""
    number = int(rng.choice(numbers(split)))
    metal = METALS[int(rng.integers(len(METALS)))]
    turn, contrast = float(rng.normal(0, 0.5)), float(rng.uniform(1.0, 1.5))
    coin = coins()[number]
    away = (coin.points() - (coin.x + 0.5, coin.y + 0.5)) @ np.array(
        [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    )
    scale = size / float(np.ptp(away, axis=0).max())
    left, top = away.min(0) * scale - 2
    width, height = (int(np.ceil(n * scale)) + 4 for n in np.ptp(away, axis=0))
    x = np.arange(width, dtype=np.float32)[None, :] + np.float32(0.5 + left)
    y = np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5 + top)
    distance, angle = np.hypot(x, y), np.arctan2(y, x) - turn
    rim = np.interp(angle % (2 * np.pi), np.linspace(0, 2 * np.pi, len(coin.radii) + 1), (*coin.radii, coin.radii[0]))
    inside = (rim * scale - distance).astype(np.float32)
    alpha = np.clip(inside / 1.6 + 0.5, 0, 1).astype(np.float32)
    face = _face(coin, turn, scale, (height, width), (float(left), float(top)))
    # The edge is a bevel: bright towards the light, dark away from it.
    bevel = np.clip(1 - inside / (0.07 * size), 0, 1) ** 2 * 0.7
    length = np.sqrt(1 + bevel**2)
    nx, ny = bevel * x / np.maximum(distance, 1) / length, bevel * y / np.maximum(distance, 1) / length
    shade = light.on(nx.astype(np.float32), ny.astype(np.float32), (1 / length).astype(np.float32))
    relief = 0.62 + contrast * (face - face[alpha > 0.5].mean())
    colour = np.clip(relief, 0.08, 1.2)[..., None] * metal * shade[..., None]
    return Sprite("coin", colour.astype(np.float32), alpha, (), str(number))


def _face(coin: Coin, turn: float, scale: float, shape: tuple[int, int], corner: tuple[float, float]) -> Floats:
    """The photo under the coin, turned and enlarged onto the patch, in 0..1."""
    c, s = np.cos(turn) / scale * INSET, np.sin(turn) / scale * INSET
    x, y = coin.x + 0.5, coin.y + 0.5
    left, top = corner
    matrix = (c, s, x + c * left + s * top, -s, c, y - s * left + c * top)
    size = (shape[1], shape[0])
    turned = _photo().transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    return np.asarray(turned, dtype=np.float32) / np.float32(255)


@lru_cache(1)
def _photo() -> Image.Image:
    return open_image((data_folder() / "coins.png").read_bytes()).image.convert("L")
