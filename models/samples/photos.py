"""The built-in sample: native crops, at several sizes, of the natural photos that ship inside scikit-image.

Nothing is copied into Tessera: the photos are read from the installed package, and crops are never enlarged. In four
of them things were marked by hand (annotations.py), and their crops carry the marks that fall into them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from models.countables.truth import count, whole
from models.galleries.images import open_image
from models.galleries.photo_files import data_folder
from models.galleries.sources import Item, LoadedImage, Skipped
from models.samples.annotations import truth

SIDES: Final = (160, 192, 256)
SEED: Final = 0
MIN_CONTRAST: Final = 20.0  # standard deviation of the crop's values: black sky shows nothing
DRAWS: Final = 50
TEST_SHARE: Final = 5  # every fifth crop of a photo is for testing

Pixels = np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]


@dataclass(frozen=True)
class Photo:
    """A photo of scikit-image and how many crops of it the sample has."""

    name: str
    file: str
    crops: int


# Colour first, textures and grey photos with a modest share; about 600 crops.
PHOTOS: Final = (
    Photo("astronaut", "astronaut.png", 80),
    Photo("brick", "brick.png", 24),
    Photo("camera", "camera.png", 30),
    Photo("chelsea", "chelsea.png", 70),
    Photo("coffee", "coffee.png", 80),
    Photo("coins", "coins.png", 20),
    Photo("grass", "grass.png", 24),
    Photo("gravel", "gravel.png", 24),
    Photo("hubble", "hubble_deep_field.jpg", 40),
    Photo("moon", "moon.png", 14),
    Photo("motorcycle", "motorcycle_left.png", 84),
    Photo("retina", "retina.jpg", 50),
    Photo("rocket", "rocket.jpg", 60),
)


@dataclass(frozen=True)
class SampleCrop:
    """A square of a photo, in its own pixels."""

    photo: Photo
    left: int
    top: int
    side: int


class SampleSource:
    """The crops of every photo that the installed scikit-image really carries."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or data_folder()
        self._pixels = lru_cache(len(PHOTOS))(self._open)

    def items(self) -> Iterator[Item | Skipped]:
        """The crops by path, labelled with their photo; the same on every machine."""
        for photo in PHOTOS:
            if not (self.folder / photo.file).is_file():
                yield Skipped(f"{photo.name}/", "missing", f"The installed scikit-image does not carry {photo.file}.")
                continue
            for number, crop in enumerate(crops(photo, self._pixels(photo.file))):
                yield Item(
                    path=f"{photo.name}/{number:03d}.jpg",
                    file=f"{photo.file}:{crop.left},{crop.top},{crop.side}",
                    label=photo.name,
                    split="test" if number % TEST_SHARE == TEST_SHARE - 1 else "train",
                    source=photo.name,
                )

    def load(self, item: Item) -> LoadedImage:
        """The crop as a PPM file: the pixels themselves; with what was marked in it by hand."""
        file, place = item.file.split(":")
        left, top, side = (int(number) for number in place.split(","))
        pixels = self._pixels(file)
        square = pixels[top : top + side, left : left + side]
        data = b"P6 %d %d 255\n" % (square.shape[1], square.shape[0]) + np.ascontiguousarray(square).tobytes()
        marked = truth(item.source or "", (pixels.shape[1], pixels.shape[0]), left, top, side)
        if marked is None:
            return LoadedImage(data)
        told = json.dumps(marked, separators=(",", ":"))
        return LoadedImage(data, counts=count(marked, whole(marked)).present, truth=told)

    def _open(self, file: str) -> Pixels:
        picture: Image.Image = open_image((self.folder / file).read_bytes()).image
        return np.asarray(picture, dtype=np.uint8).reshape(picture.height, picture.width, 3)


def crops(photo: Photo, pixels: Pixels) -> Iterator[SampleCrop]:
    """Seeded squares of the sides that fit, each side in turn, spread over the photo but not on its empty parts."""
    height, width = pixels.shape[:2]
    rng = np.random.default_rng([SEED, *photo.name.encode()])
    sides = [side for side in SIDES if side <= min(width, height)] or [min(width, height)]
    for number in range(photo.crops):
        side = sides[number % len(sides)]
        for _ in range(DRAWS):
            left, top = (int(rng.integers(0, free + 1)) for free in (width - side, height - side))
            if pixels[top : top + side, left : left + side].std() >= MIN_CONTRAST:
                break
        yield SampleCrop(photo, left, top, side)
