"""Draws the vectors of HOG, a descriptor without weights, as glyphs of oriented edges."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.failures import Conflict
from app.services.checkpoints.service import OpenCheckpoint
from app.services.galleries.service import stored
from models.descriptors import files as descriptor_files
from models.descriptors.hog import Hog
from models.galleries.packs import Pack


@dataclass(frozen=True)
class Glyph:
    """The strength of each orientation in each cell, (cells, cells, orientations), of one image of a gallery.

    `box` is the part of the stored image that was described, in pixels.
    """

    gallery: str
    row: int
    strengths: NDArray[np.float32]
    box: tuple[float, float, float, float]


def glyph(checkpoint: OpenCheckpoint, gallery: str, pack: Pack, row: int) -> Glyph:
    """The glyph of an image. Raises NotFound, and Conflict where the checkpoint is not HOG."""
    hog = descriptor_files.descriptor_of(checkpoint.card)
    if not isinstance(hog, Hog):
        raise Conflict("no_glyphs", f"{checkpoint.slug} has no glyphs: only HOG can be drawn as oriented edges.")
    _, jpeg = stored(gallery, pack, row)
    vector, box = hog.describe(jpeg)
    return Glyph(gallery, row, hog.glyph(vector), box)


def centre_glyphs(
    checkpoint: OpenCheckpoint, centres: NDArray[np.float32], numbers: list[int]
) -> dict[int, NDArray[np.float32]]:
    """Glyphs of the centres of these clusters, by number; empty where the checkpoint is not HOG."""
    hog = descriptor_files.descriptor_of(checkpoint.card)
    if not isinstance(hog, Hog):
        return {}
    return {number: hog.glyph(centres[number]) for number in numbers}
