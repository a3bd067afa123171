"""The inputs of a scan, decoded and cut in threads: for each image the trunk's square and the count path's crop.

They can stay on the device as bytes, so that a second pass over the gallery, or a second scan, decodes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.card import Preprocess
from models.crops import count_view, trunk_square
from models.galleries.loading import map_rows
from models.galleries.packs import Pack
from models.memory import fits
from models.scans.geometry import Trunk


@dataclass(frozen=True)
class PathInputs:
    """An image in the form that each path takes: the trunk (3, S, S), the count path (3, crop, crop), both uint8."""

    square: Tensor | None
    crop: Tensor | None


class ScanImages:
    """A pack's images for checkpoints that prepare images in one way.

    With `resident`, images that were decoded once stay on the device.
    """

    def __init__(
        self,
        pack: Pack,
        how: Preprocess,
        device: str | torch.device,
        *,
        squares: bool = True,
        crops: bool = True,
        resident: bool = False,
    ) -> None:
        self.pack, self.how, self.device = pack, how, torch.device(device)
        self.squares, self.crops, self.resident = squares, crops, resident
        self._kept: dict[int, PathInputs] = {}

    def size(self) -> int:
        """Bytes that all of them take."""
        trunk = Trunk(size=self.how.trunk_size, smallest=self.how.size, resize=self.how.resize)
        sides = (trunk.side(row.jpeg_width, row.jpeg_height) for row in self.pack.metadata(range(len(self.pack))))
        pixels = sum(side**2 for side in sides) if self.squares else 0
        return 3 * (pixels + (self.how.crop**2 * len(self.pack) if self.crops else 0))

    def keep_where_it_pays(self) -> None:
        """Stay resident on a device with memory of its own, where all of them fit into half of what is free there."""
        self.resident = self.device.type != "cpu" and fits(self.size(), self.device)

    def rows(self, rows: Sequence[int]) -> Iterator[tuple[int, PathInputs]]:
        """The inputs of each row, in this order; on the device where they are resident, else on the CPU."""
        decoded = map_rows(self.pack, [row for row in rows if row not in self._kept], self._inputs)
        for row in rows:
            inputs = self._kept.get(row)
            if inputs is None:
                found, inputs = next(decoded)
                assert found == row
                if self.resident:
                    inputs = self._kept[row] = PathInputs(self._moved(inputs.square), self._moved(inputs.crop))
            yield row, inputs

    def _inputs(self, image: Tensor) -> PathInputs:
        square = trunk_square(image, self.how)[0] if self.squares else None
        return PathInputs(square, count_view(image, self.how)[0] if self.crops else None)

    def _moved(self, pixels: Tensor | None) -> Tensor | None:
        """A copy on the device whose rows are channels-last, as decoders give them: a batch is then one plain copy."""
        if pixels is None:
            return None
        return pixels.permute(1, 2, 0).clone(memory_format=torch.contiguous_format).to(self.device).permute(2, 0, 1)
