"""HOG: histograms of oriented gradients, an encoder from the time before features were learned.

Dalal, Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005. The knowledge-transfer paper clusters
HOG as a teacher without a pretext task and does not give its parameters. Ours are a gray square of 128 px, 9 unsigned
orientations, cells of 16 px, and blocks of 2x2 cells with L2-Hys; they are recorded on the card.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from models.descriptors.base import Descriptor, Floats
from models.descriptors.square import open_square
from models.geometry import Box


@dataclass(frozen=True, kw_only=True)
class HogSettings:
    """Side of the gray square and of a cell in pixels, orientations over 180 degrees, cells along a block."""

    side: int = 128
    cell: int = 16
    orientations: int = 9
    block: int = 2

    @property
    def cells(self) -> int:
        """Cells along a side."""
        return self.side // self.cell

    @property
    def blocks(self) -> int:
        """Blocks along a side; they overlap by all but one cell."""
        return self.cells - self.block + 1


class Hog(Descriptor):
    """Orientation o of cell (r, c) of block (R, C) is unit ((((R * blocks) + C) * block + r) * block + c) * 9 + o."""

    name: ClassVar[str] = "hog"
    title: ClassVar[str] = "HOG"
    paper: ClassVar[str] = "Dalal, Triggs, CVPR 2005"

    def __init__(self, settings: HogSettings | None = None) -> None:
        self.settings: HogSettings = settings or HogSettings()
        self.side = self.settings.side

    @property
    def units(self) -> int:
        how = self.settings
        return how.blocks**2 * how.block**2 * how.orientations

    def describe(self, jpeg: bytes, box: Box | None = None) -> tuple[Floats, Box]:
        square, seen = open_square(jpeg, self.side, mode="L", box=box)
        return self.of_gray(square / 255), seen

    def of_gray(self, gray: NDArray[np.floating]) -> Floats:
        """The descriptor of a gray square (side, side), whatever its scale."""
        from skimage.feature import hog  # here: half a second that a server need not pay at its start

        how = self.settings
        found = hog(
            np.asarray(gray, dtype=np.float64),
            orientations=how.orientations,
            pixels_per_cell=(how.cell, how.cell),
            cells_per_block=(how.block, how.block),
            block_norm="L2-Hys",
        )
        return np.asarray(found, dtype=np.float32)

    def glyph(self, descriptor: NDArray[np.floating]) -> Floats:
        """How strong each orientation is in each cell, (cells, cells, 9): the mean over the blocks that hold it."""
        how = self.settings
        blocks = np.asarray(descriptor).reshape(how.blocks, how.blocks, how.block, how.block, how.orientations)
        total = np.zeros((how.cells, how.cells, how.orientations))
        times = np.zeros((how.cells, how.cells, 1))
        for row in range(how.block):
            for column in range(how.block):
                here = slice(row, row + how.blocks), slice(column, column + how.blocks)
                total[here] += blocks[:, :, row, column]
                times[here] += 1
        return np.asarray(total / times, dtype=np.float32)
