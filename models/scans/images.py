"""What a scan shows its networks of each image, decoded and cut in threads: the trunk's square, the count path's crop.

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
class Shown:
    """An image as the trunk sees it, (3, S, S), and as the count path does, (3, crop, crop), both uint8."""

    square: Tensor | None
    crop: Tensor | None


class ScanImages:
    """A pack's images as checkpoints with one way of preprocessing see them; what is `resident` is decoded once."""

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
        self._kept: dict[int, Shown] = {}

    def size(self) -> int:
        """Bytes that all of them take."""
        trunk = Trunk(size=self.how.trunk_size, smallest=self.how.size, resize=self.how.resize)
        sides = (trunk.side(row.jpeg_width, row.jpeg_height) for row in self.pack.metadata(range(len(self.pack))))
        pixels = sum(side**2 for side in sides) if self.squares else 0
        return 3 * (pixels + (self.how.crop**2 * len(self.pack) if self.crops else 0))

    def keep_where_it_pays(self) -> None:
        """Stay resident on a device with memory of its own, where all of them fit into half of what is free there."""
        self.resident = self.device.type != "cpu" and fits(self.size(), self.device)

    def rows(self, rows: Sequence[int]) -> Iterator[tuple[int, Shown]]:
        """What is shown of each row, in this order; on the device where it is resident, else on the CPU."""
        decoded = map_rows(self.pack, [row for row in rows if row not in self._kept], self._shown)
        for row in rows:
            shown = self._kept.get(row)
            if shown is None:
                found, shown = next(decoded)
                assert found == row
                if self.resident:
                    shown = self._kept[row] = Shown(self._moved(shown.square), self._moved(shown.crop))
            yield row, shown

    def _shown(self, image: Tensor) -> Shown:
        square = trunk_square(image, self.how)[0] if self.squares else None
        return Shown(square, count_view(image, self.how)[0] if self.crops else None)

    def _moved(self, pixels: Tensor | None) -> Tensor | None:
        """A copy on the device whose rows are channels-last, as decoders give them: a batch is then one plain copy."""
        if pixels is None:
            return None
        return pixels.permute(1, 2, 0).clone(memory_format=torch.contiguous_format).to(self.device).permute(2, 0, 1)
