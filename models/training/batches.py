"""Training batches: random native crops whose order depends on (seed, step) alone."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.cores import usable_cores
from models.crops import region
from models.galleries.loading import decode, decode_rows
from models.galleries.packs import Pack
from models.seeds import generator
from models.tasks.windows import every_window
from models.workers import workers

CHUNK = 256  # images that are brought to the device together


class Regions(Protocol):
    """The source of crops: the central region of each image, at most `side` pixels, never enlarged."""

    side: int
    extents: Tensor  # (N,) how many of `side` pixels image i really has

    def crops(self, indices: Tensor, tops: Tensor, lefts: Tensor, size: int) -> Tensor:
        """Windows (B, 3, size, size) uint8 of the regions `indices`, on the regions' device."""


class ResidentRegions:
    """All regions in one uint8 tensor on the device: a batch is one gather."""

    def __init__(self, pixels: Tensor, extents: Tensor) -> None:
        self.pixels, self.extents, self.side = pixels, extents, pixels.shape[-1]

    @classmethod
    def load(
        cls,
        pack: Pack,
        rows: Sequence[int],
        side: int,
        device: str,
        tick: Callable[[int], None],
        *,
        enlarge: bool = False,
    ) -> "ResidentRegions":
        """Decode `rows` of the pack; `tick` is told how many are there. Only a few at a time wait on the CPU."""
        pixels = torch.zeros(len(rows), 3, side, side, dtype=torch.uint8, device=device)
        extents = torch.zeros(len(rows), dtype=torch.long)
        waiting = torch.zeros(min(CHUNK, len(rows)), 3, side, side, dtype=torch.uint8)
        for i, (_, image) in enumerate(decode_rows(pack, rows)):
            square, place = region(image, side, enlarge=enlarge), i % CHUNK
            extents[i] = square.shape[-1]
            waiting[place, :, : square.shape[-1], : square.shape[-1]] = square
            if place == CHUNK - 1 or i == len(rows) - 1:
                pixels[i - place : i + 1] = waiting[: place + 1].to(device)
                waiting.zero_()
            tick(i + 1)
        return cls(pixels, extents)

    def crops(self, indices: Tensor, tops: Tensor, lefts: Tensor, size: int) -> Tensor:
        device = self.pixels.device
        images, rows, columns = (places.to(device)[:, None] for places in (indices, tops, lefts))
        channels = torch.arange(self.pixels.shape[1], device=device)
        return every_window(self.pixels, size)[images, channels, rows, columns]  # (B, 3, size, size)


class StreamedRegions:
    """Regions that are decoded in threads when they are needed: for galleries larger than memory."""

    def __init__(
        self, pack: Pack, rows: Sequence[int], extents: Tensor, side: int, device: str, *, enlarge: bool = False
    ) -> None:
        self.pack, self.rows, self.extents, self.side, self.device = pack, rows, extents, side, device
        self.enlarge = enlarge
        self._pool = workers(usable_cores(), "decode")

    def crops(self, indices: Tensor, tops: Tensor, lefts: Tensor, size: int) -> Tensor:
        sizes = [size] * len(indices)
        crops = self._pool.map(self._crop, indices.tolist(), tops.tolist(), lefts.tolist(), sizes)
        return torch.stack(list(crops)).to(self.device)

    def _crop(self, index: int, top: int, left: int, size: int) -> Tensor:
        square = region(decode(self.pack.jpeg(self.rows[index])), self.side, enlarge=self.enlarge)
        return square[:, top : top + size, left : left + size]


@dataclass(frozen=True)
class Split:
    """Rows of a gallery by use, and how many were left out because they are too small or have no target."""

    train: tuple[int, ...]
    held_out: tuple[int, ...]
    too_small: int
    without_target: int = 0


def split_rows(
    pack: Pack,
    crop: int,
    held_out: int,
    *,
    wanted: NDArray[np.bool_] | None = None,
    apart: NDArray[np.bool_] | None = None,
) -> Split:
    """Keep `held_out` images (at most a tenth), evenly spread over the gallery, for measuring.

    Images smaller than `crop` are left out (0: none is), and rows that are not `wanted` (None: all are). With `apart`
    the images for measuring are chosen among these rows, at most as many as a tenth of the others, and none of these
    rows is trained on.
    """
    chosen = range(len(pack)) if wanted is None else np.flatnonzero(wanted).tolist()
    sides = [min(row.jpeg_width, row.jpeg_height) for row in pack.metadata(chosen)]
    large = [row for row, side in zip(chosen, sides, strict=True) if side >= crop]
    among = large if apart is None else [row for row in large if apart[row]]
    count = min(held_out, len(large) // 10, len(among))
    kept = {among[i * len(among) // count] for i in range(count)}
    return Split(
        tuple(r for r in large if r not in kept and (apart is None or not apart[r])),
        tuple(sorted(kept)),
        len(sides) - len(large),
        len(pack) - len(chosen),
    )


@dataclass(frozen=True)
class Batch:
    """The data of a step: windows (B, 3, drawn, drawn) uint8 of the images `indices` (B,), and their targets."""

    images: Tensor
    indices: Tensor
    targets: Tensor | None


class Batches:
    """Random crops of the regions: `batches.draw(step)` is the same crops for the same seed, whatever came before.

    `targets` are those of all images, (N,) or (N, K), where a task has some.
    """

    def __init__(
        self, regions: Regions, *, crop: int, batch_size: int, seed: int, targets: Tensor | None = None
    ) -> None:
        self.regions, self.crop, self.seed, self.targets = regions, crop, seed, targets
        self.batch_size = min(batch_size, len(regions.extents))
        self.steps_per_epoch = len(regions.extents) // max(1, self.batch_size)
        self.order: Tensor | None = None  # of the images in an epoch; None: a permutation
        self._ahead: tuple[int, Future[Tensor]] | None = None
        self._pool = workers(1, "batches")

    def relabel(self, targets: Tensor, order: Tensor | None) -> None:
        """From now on images have these targets, and come in this order (at least `steps_per_epoch` batches)."""
        self.targets, self.order, self._ahead = targets, order, None

    def indices(self, step: int) -> Tensor:
        """The images of a step: epochs are permutations, so no batch holds an image twice. (B,)"""
        epoch, position = divmod(step, self.steps_per_epoch)
        order = self.order
        if order is None:
            order = torch.randperm(len(self.regions.extents), generator=generator(self.seed, epoch, 1))
        return order[position * self.batch_size : (position + 1) * self.batch_size]

    def batch(self, step: int) -> Batch:
        """The windows of a step, with their images' indices and targets."""
        indices = self.indices(step)
        images = self.draw(step)
        return Batch(images, indices, None if self.targets is None else self.targets[indices].to(images.device))

    def draw(self, step: int) -> Tensor:
        """The crops of a step (B, 3, crop, crop) uint8; the next step's are prepared meanwhile."""
        ready = self._ahead is not None and self._ahead[0] == step
        crops = self._ahead[1].result() if self._ahead is not None and ready else self._make(step)
        self._ahead = (step + 1, self._pool.submit(self._make, step + 1))
        return crops

    def _make(self, step: int) -> Tensor:
        rng = generator(self.seed, step, 2)
        indices = self.indices(step)
        room = self.regions.extents[indices] - self.crop + 1
        tops, lefts = ((torch.rand(len(indices), generator=rng) * room).long() for _ in range(2))
        return self.regions.crops(indices, tops, lefts, self.crop)
