"""What a count could follow in each generated scene: number and area of its objects, edge energy. Free of torch.

Only the part of the picture that the count path read is measured, so that a network is not blamed for objects that it
was not shown. Written by the scan, beside its embeddings:

predictors.npz     number, area, edge energy, mean intensity and contrast of every row, (n,) float32 each
"""

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.atomic import write_bytes
from models.countables.masks import mask
from models.counting.picture_quantities import contrast, edge_energy, gray_of, mean_intensity
from models.galleries.packs import Pack
from models.geometry import Box

PREDICTORS = "predictors.npz"

Floats = NDArray[np.float32]
Crop = Callable[[int, int], Box]  # what the count path reads of a (width, height) image


@dataclass(frozen=True)
class Predictors:
    """One value a row, (n,) each; number and area are NaN for images that are no generated scene.

    `number` is fractional: an object at least half visible counts by the share of its visible area that lies inside.
    `area` is the share of the crop that objects cover.
    """

    number: Floats
    area: Floats
    edge_energy: Floats
    mean_intensity: Floats
    contrast: Floats

    def __len__(self) -> int:
        return len(self.number)


def measure(pack: Pack, crop: Crop, tick: Callable[[], None] = lambda: None) -> Predictors:
    """Predictors of every row of a pack; `tick` is called before each and may raise to stop."""
    found = np.empty((len(fields(Predictors)), len(pack)), dtype=np.float32)
    for row in range(len(pack)):
        tick()
        gray = gray_of(pack.jpeg(row))
        height, width = gray.shape
        box = crop(width, height)
        objects = inside(pack.truth(row), box)
        found[:, row] = (*objects, edge_energy(gray, box), mean_intensity(gray, box), contrast(gray, box))
    return Predictors(*found)


def inside(truth: Mapping[str, object] | None, box: Box) -> tuple[float, float]:
    """How many objects lie in a box, by the share of their visible area, and which share of the box they cover."""
    objects = (truth or {}).get("objects")
    if not isinstance(objects, list):
        return np.nan, np.nan
    number, pixels = 0.0, 0
    for one in objects:
        anywhere, here = _seen(one, box)
        number += here / anywhere if 2 * anywhere >= one["area"] > 0 else 0.0
        pixels += here
    return number, pixels / ((box[2] - box[0]) * (box[3] - box[1]))


def _seen(one: Mapping[str, list[int]], box: Box) -> tuple[int, int]:
    """An object's visible pixels, anywhere and in a box, which holds the pixels whose middle it holds."""
    left, top, right, bottom = one["box"]
    if not one["rle"]:
        return 0, 0
    pixels = mask(one["rle"], bottom - top, right - left)
    x0, y0, x1, y1 = (math.ceil(edge - 0.5) for edge in box)
    cut = pixels[max(0, y0 - top) : max(0, y1 - top), max(0, x0 - left) : max(0, x1 - left)]
    return int(pixels.sum()), int(cut.sum())


def save(folder: Path, predictors: Predictors) -> None:
    """Write the predictors beside a scan, wholly or not at all."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{item.name: getattr(predictors, item.name) for item in fields(predictors)})
    write_bytes(folder / PREDICTORS, buffer.getvalue())


def load(folder: Path, rows: int) -> Predictors | None:
    """The predictors of a scan; None where it was made without them, or covers other rows by now."""
    try:
        with np.load(folder / PREDICTORS, allow_pickle=False) as arrays:
            found = Predictors(*(arrays[item.name] for item in fields(Predictors)))
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        return None
    return found if len(found) == rows else None
