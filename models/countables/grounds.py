"""The grounds of scenes: crops of scikit-image's natural and texture photos, flat colours, gradients.

The regions of the photos were chosen so that nothing in them is a head, an eye, a coin or a wheel. They are given in
the photos' pixels.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from PIL import Image

from models.countables.values import FINE, SIDE, Floats, Split, cloth, grid
from models.galleries.images import open_image
from models.galleries.photo_files import data_folder

GroundKind = Literal["texture", "photo", "flat", "gradient"]
LEAST: Final = 80  # native pixels that a crop spans at least


@dataclass(frozen=True)
class Ground:
    """A ground by name. `region` is left, top, right, bottom in `file`; drawn grounds have none."""

    name: str
    kind: GroundKind
    split: Split
    file: str = ""
    region: tuple[int, int, int, int] = (0, 0, 0, 0)
    grey: bool = False


@dataclass(frozen=True)
class LaidGround:
    """The ground of one scene: its pixels at the fine scale, and from where in a photo they were taken."""

    pixels: Floats  # (h, w, 3)
    crop: tuple[int, int, int, int] | None


GROUNDS: Final = (
    Ground("grass", "texture", "train", "grass.png", (0, 0, 512, 512), grey=True),
    Ground("gravel", "texture", "train", "gravel.png", (0, 0, 512, 512), grey=True),
    Ground("lawn", "photo", "train", "camera.png", (405, 250, 512, 512), grey=True),
    Ground("moon", "photo", "train", "moon.png", (0, 0, 512, 512), grey=True),
    Ground("stars", "photo", "train", "hubble_deep_field.jpg", (0, 0, 1000, 872)),
    Ground("sky", "photo", "train", "rocket.jpg", (60, 0, 300, 330)),
    Ground("garage", "photo", "train", "motorcycle_left.png", (0, 402, 310, 500)),
    Ground("tissue", "photo", "train", "ihc.png", (0, 0, 512, 512)),
    Ground("flat", "flat", "train"),
    Ground("gradient", "gradient", "train"),
    Ground("brick", "texture", "test", "brick.png", (0, 0, 512, 512), grey=True),
    Ground("wood", "photo", "test", "coffee.png", (490, 0, 600, 400)),
    Ground("retina", "photo", "test", "retina.jpg", (260, 260, 1150, 1150)),
    Ground("fur", "photo", "test", "chelsea.png", (110, 0, 290, 85)),
    Ground("vignette", "gradient", "test"),
)
BY_NAME: Final = {ground.name: ground for ground in GROUNDS}


def of(split: Split) -> tuple[Ground, ...]:
    """The grounds of a split."""
    return tuple(ground for ground in GROUNDS if ground.split == split)


def lay(ground: Ground, rng: np.random.Generator) -> LaidGround:
    """One scene's ground, drawn from `rng`."""
    side = SIDE * FINE
    if ground.kind == "flat":
        return LaidGround(_worn(np.broadcast_to(_colour(rng), (side, side, 3)), rng), None)
    if ground.kind == "gradient":
        return LaidGround(_worn(_between(_colour(rng), _colour(rng), _ramp(ground.name, rng)), rng), None)
    photo = _photo(ground.file)
    left, top, right, bottom = ground.region
    most = min(right - left, bottom - top)
    span = int(rng.integers(min(LEAST, most), min(most, 2 * SIDE) + 1))
    x, y = left + int(rng.integers(0, right - left - span + 1)), top + int(rng.integers(0, bottom - top - span + 1))
    picture = photo.crop((x, y, x + span, y + span)).resize((side, side), Image.Resampling.BICUBIC)
    turned = picture.transpose(_TURNS[int(rng.integers(len(_TURNS)))])
    pixels = np.asarray(turned, dtype=np.float32) / np.float32(255)
    tint = rng.normal(1, 0.07 if ground.grey else 0.03, 3).astype(np.float32)
    gain, lift = np.float32(rng.uniform(0.7, 1.05)), np.float32(rng.uniform(0, 0.1))
    return LaidGround(np.clip(pixels * tint * gain + lift, 0, 1), (x, y, x + span, y + span))


_TURNS: Final = (
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSPOSE,
)


def _colour(rng: np.random.Generator) -> Floats:
    grey = rng.uniform(0.2, 0.85)
    return np.clip(grey + rng.normal(0, 0.06, 3), 0.05, 0.95).astype(np.float32)


def _ramp(name: str, rng: np.random.Generator) -> Floats:
    """From 0 to 1 across the scene along a direction, or outwards."""
    across, down = grid(SIDE * FINE, SIDE * FINE)
    x, y = across / (SIDE * FINE) - 0.5, down / (SIDE * FINE) - 0.5
    if name == "vignette":
        cx, cy = rng.uniform(-0.25, 0.25, 2)
        share = np.hypot(x - cx, y - cy) / 0.8
    else:
        angle = rng.uniform(0, 2 * np.pi)
        share = 0.5 + (x * np.cos(angle) + y * np.sin(angle)) / 1.2
    return np.asarray(np.clip(share, 0, 1), dtype=np.float32)


def _between(first: Floats, second: Floats, share: Floats) -> Floats:
    return first + (second - first) * share[..., None]


def _worn(pixels: Floats, rng: np.random.Generator) -> Floats:
    """A little unevenness, because nothing that a camera sees has exactly one value."""
    top, left = (int(n) for n in rng.integers(0, SIDE * FINE, 2))
    amount = np.float32(rng.uniform(0.004, 0.018))
    return np.clip(pixels + amount * np.roll(cloth(), (top, left), (0, 1))[..., None], 0, 1).astype(np.float32)


@lru_cache(16)
def _photo(file: str) -> Image.Image:
    return open_image((data_folder() / file).read_bytes()).image
