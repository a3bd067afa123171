"""Values that the drawing modules share: pictures as floats, one light a scene, an object drawn on its own patch."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Kind = Literal["critter", "coin", "ball", "leaf"]
Split = Literal["train", "test"]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

KINDS: Final[tuple[Kind, ...]] = ("critter", "coin", "ball", "leaf")
PARTS: Final = ("head", "eye", "nose", "paw")
SIDE: Final = 256  # of a finished scene
FINE: Final = 2  # scenes are drawn at this multiple and area-reduced
CLOTH: Final = 512  # side of the noise that everything's texture is cut from


@dataclass(frozen=True)
class Light:
    """The light of a scene: the unit vector towards it (x right, y down, z to the viewer) and how soft it is."""

    x: float
    y: float
    z: float
    ambient: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Light":
        """A light from anywhere above but never from straight above, so that every object throws a shadow."""
        azimuth, height = rng.uniform(0, 2 * np.pi), rng.uniform(np.pi / 5, np.pi / 2.8)
        flat = np.cos(height)
        return cls(
            float(flat * np.cos(azimuth)), float(flat * np.sin(azimuth)), float(np.sin(height)), rng.uniform(0.4, 0.6)
        )

    def on(self, nx: Floats, ny: Floats, nz: Floats) -> Floats:
        """How bright a matt surface with these unit normals is; about 1 where it lies flat."""
        facing = np.maximum(nx * self.x + ny * self.y + nz * self.z, 0).astype(np.float32)
        return np.asarray(self.ambient + (1 - self.ambient) / self.z * facing, dtype=np.float32)

    def glint(self, nx: Floats, ny: Floats, nz: Floats, sharpness: int) -> Floats:
        """The mirror image of the light, seen from straight above (Blinn)."""
        length = float(np.sqrt(self.x**2 + self.y**2 + (self.z + 1) ** 2))
        half = (nx * self.x + ny * self.y + nz * (self.z + 1)) / length
        return np.asarray(np.maximum(half, 0) ** sharpness, dtype=np.float32)


@dataclass(frozen=True)
class SpritePart:
    """A named part of an object on its patch: its whole shape, and what the object itself leaves visible of it."""

    kind: str
    shape: Mask
    seen: Mask


@dataclass(frozen=True)
class Sprite:
    """One object alone, at the fine scale: colour (h, w, 3) in 0..1, coverage (h, w), and its parts."""

    kind: Kind
    colour: Floats
    alpha: Floats
    parts: tuple[SpritePart, ...] = ()
    look: str = ""


def grid(height: int, width: int) -> tuple[Floats, Floats]:
    """The x and y of every pixel's centre."""
    return (
        np.arange(width, dtype=np.float32)[None, :] + np.float32(0.5),
        np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5),
    )


Summed = TypeVar("Summed", np.float32, np.uint8)


def reduced(fine: npt.NDArray[Summed]) -> npt.NDArray[Summed]:
    """The sum over each block of FINE x FINE pixels: (FINE h, FINE w, ...) -> (h, w, ...).

    Strided sums take a fifth of the time that NumPy's own reduction over two short axes takes.
    """
    total = fine[::FINE, ::FINE].copy()
    for offset in range(1, FINE * FINE):
        row, column = divmod(offset, FINE)
        total += fine[row::FINE, column::FINE]
    return total


@lru_cache(1)
def cloth() -> Floats:
    """A tile of noise of mean 0 with detail at every size, the source of all texture."""
    rng = np.random.default_rng(20_170)
    total = np.zeros((CLOTH, CLOTH), np.float32)
    for octave in range(2, 9):
        cells = 2**octave
        coarse = rng.normal(size=(cells, cells)).astype(np.float32)
        wrapped = Image.fromarray(np.pad(coarse, 2, mode="wrap"))
        share = CLOTH // cells
        fine = wrapped.resize(((cells + 4) * share,) * 2, Image.Resampling.BICUBIC)
        total += np.asarray(fine)[2 * share : -2 * share, 2 * share : -2 * share] * np.float32(0.8**octave)
    normed: Floats = (total - total.mean()) / total.std()
    return normed


def texture(rng: np.random.Generator, height: int, width: int, stretch: float = 1.0) -> Floats:
    """A piece of the noise, coarser with `stretch` above 1. What is drawn from `rng` does not depend on the size."""
    top, left = (int(n) for n in rng.integers(0, CLOTH, 2))
    rows = (top + (np.arange(height) / stretch).astype(int)) % CLOTH
    columns = (left + (np.arange(width) / stretch).astype(int)) % CLOTH
    piece: Floats = cloth()[np.ix_(rows, columns)]
    return piece


def blurred(mask: Floats, radius: float) -> Floats:
    """A coverage softened by a Gaussian; computed in eight bits, which is enough for shadows."""
    picture = Image.fromarray((mask * 255).astype(np.uint8))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32) / np.float32(255)
