"""Descriptors of a workspace, checkpoints without weights, drawn as glyphs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.failures import Conflict
from app.services.checkpoints.service import CheckpointsService
from app.services.galleries.service import GalleriesService
from models.clusters.files import ClusteringReader
from models.descriptors import files as descriptor_files
from models.descriptors.base import Descriptor
from models.descriptors.hog import Hog


@dataclass(frozen=True)
class Glyph:
    """How strong each orientation is in each cell, (cells, cells, orientations), of one image of a gallery."""

    gallery: str
    row: int
    strengths: NDArray[np.float32]
    box: tuple[float, float, float, float]


class DescriptorsService:
    """What can be drawn of descriptors without a network."""

    def __init__(self, checkpoints: CheckpointsService, galleries: GalleriesService) -> None:
        self._checkpoints = checkpoints
        self._galleries = galleries

    def of(self, checkpoint: str) -> Descriptor | None:
        """The descriptor that a checkpoint is; None for networks. Raises NotFound, Conflict."""
        return descriptor_files.descriptor_of(self._checkpoints.card(checkpoint))

    def glyph(self, checkpoint: str, gallery: str, row: int) -> Glyph:
        """The glyph of an image. Raises NotFound, and Conflict where the checkpoint is not HOG."""
        hog = self.of(checkpoint)
        if not isinstance(hog, Hog):
            raise Conflict("no_glyphs", f"{checkpoint} has no glyphs: only HOG can be drawn as oriented edges.")
        vector, box = hog.describe(self._galleries.jpeg(gallery, row))
        return Glyph(gallery, row, hog.glyph(vector), box)

    def centre_glyphs(self, reader: ClusteringReader, numbers: list[int]) -> dict[int, NDArray[np.float32]]:
        """The centres of HOG clusters as glyphs, by number; none where centres are not descriptors."""
        if reader.centres is None or reader.space.matrix is not None:
            return {}
        hog = self.of(reader.info.checkpoint)
        if not isinstance(hog, Hog):
            return {}
        return {number: hog.glyph(reader.centres[number]) for number in numbers}
