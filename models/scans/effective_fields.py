"""The part of its receptive field that matters to a unit: where its gradient is above half of its maximum.

Luo, Li, Urtasun, Zemel, "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks", NeurIPS
2016, https://arxiv.org/abs/1701.04128: the pixels of a receptive field matter unequally, mostly those in its middle.

For each unit the gradient of its firing cell with respect to the input is taken on the images that fire it most. Its
root mean square over them, over channels as well, is blurred by half a stride (max pooling decides by one pixel within
a stride) and cut at half of its maximum. The result is the box around what is left, relative to the cell's centre: it
holds for every image, and placed at any cell it lies inside the exact receptive field.
"""

import copy
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.card import LayerCard
from models.network import Network
from models.scans.images import ScanImages
from models.scans.unit_tables import UnitTable

# Of a unit's best images, that its gradient is averaged over: boxes of two overlap those of eight by .9 (IoU).
IMAGES = 2
BATCH_PIXELS = 1 << 19  # that go through the network at once, and at most so many patches:
BATCH = 256
Step = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FiringCell:
    """A cell that fires most for a unit in one image: layer, unit, and the cell's place."""

    layer: str
    unit: int
    y: int
    x: int


def regions(
    network: Network, images: ScanImages, tables: Mapping[str, UnitTable], *, tick: Callable[[], None] = lambda: None
) -> dict[str, NDArray[np.float32]]:
    """The box of each unit of these conv layers, (U, 4): left, top, right, bottom in input pixels from its centre.

    NaN for units that never fire. `tick` is called between images and may raise to stop.
    """
    encoder = copy.deepcopy(network.encoder).float()
    layers = {name: LayerGradient(encoder, network.card.layer(name), network.device) for name in tables}
    wanted = _wanted(tables)
    for row, inputs in images.rows(sorted(wanted)):
        assert inputs.square is not None
        pixels = network.trunk_input(inputs.square[None])[0].float()
        for firing in wanted[row]:
            layers[firing.layer].add(pixels, firing)
        tick()
    return {name: layer.boxes() for name, layer in layers.items()}


def _wanted(tables: Mapping[str, UnitTable]) -> dict[int, list[FiringCell]]:
    """The best cells of every unit, by the row of their image."""
    found: dict[int, list[FiringCell]] = defaultdict(list)
    for name, table in tables.items():
        for unit, rank in np.argwhere(table.values[:, :IMAGES] > 0).tolist():
            row, y, x = (int(part[unit, rank]) for part in (table.rows, table.ys, table.xs))
            found[row].append(FiringCell(name, unit, y, x))
    return found


class LayerGradient:
    """The energy of the gradients of one layer's units over their receptive field, summed over images."""

    def __init__(self, encoder: nn.Module, layer: LayerCard, device: torch.device) -> None:
        self._layer, self._steps = layer, list(steps_to(encoder, layer.module))
        if isinstance(encoder.get_submodule(layer.module), nn.ReLU):
            # A cell that fires at the border may not fire without the padding: its gradient is taken before the ReLU.
            self._steps.pop()
        self._side = layer.receptive_field or 1
        self._energy = torch.zeros(layer.units, self._side, self._side, device=device)
        self._seen = torch.zeros_like(self._energy)
        self._waiting: list[tuple[Tensor, Tensor, int]] = []
        self._batch = max(1, min(BATCH, BATCH_PIXELS // self._side**2))

    def add(self, pixels: Tensor, firing: FiringCell) -> None:
        """Add the receptive field of the firing cell in a network input (C, S, S)."""
        self._waiting.append((*self._patch(pixels, firing), firing.unit))
        if len(self._waiting) >= self._batch:
            self._run()

    def boxes(self) -> NDArray[np.float32]:
        """(U, 4), in input pixels from the cell's centre; NaN for units without a gradient."""
        self._run()
        amplitude = (self._energy / self._seen.clamp(min=1)).sqrt()
        return half_maximum(blur(amplitude, (self._layer.stride or 1) / 2).cpu().numpy())

    def _patch(self, pixels: Tensor, firing: FiringCell) -> tuple[Tensor, Tensor]:
        """The receptive field of a cell, (C, r, r), 0 outside of the input, and where it is inside, (r, r)."""
        stride, offset = self._layer.stride or 1, self._layer.offset or 0.0
        size, side = pixels.shape[-1], self._side
        top, left = (round(offset + cell * stride - side / 2) for cell in (firing.y, firing.x))
        patch, inside = pixels.new_zeros(len(pixels), side, side), pixels.new_zeros(side, side)
        y0, x0 = max(0, -top), max(0, -left)
        y1, x1 = min(side, size - top), min(side, size - left)
        patch[:, y0:y1, x0:x1] = pixels[:, top + y0 : top + y1, left + x0 : left + x1]
        inside[y0:y1, x0:x1] = 1
        return patch, inside

    def _run(self) -> None:
        if not self._waiting:
            return
        patches, inside, numbers = zip(*self._waiting, strict=True)
        self._waiting = []
        units = torch.tensor(numbers, device=self._energy.device)
        inputs = torch.stack(patches).contiguous(memory_format=torch.channels_last).requires_grad_()
        values = answers(self._steps, inputs)[torch.arange(len(units), device=units.device), units]
        (gradient,) = torch.autograd.grad(values.sum(), inputs)
        within = torch.stack(inside)
        self._energy.index_add_(0, units, gradient.square().sum(dim=1) * within)
        self._seen.index_add_(0, units, within)


def answers(steps: Sequence[Step], patches: Tensor) -> Tensor:
    """The value of a layer's only cell for whole receptive fields: (B, C, r, r) -> (B, U)."""
    with torch.enable_grad():
        value = patches
        for step in steps:
            value = step(value)
    return value.flatten(1)  # (B, U, 1, 1) -> (B, U)


def steps_to(encoder: nn.Module, last: str) -> Iterator[Step]:
    """The leaves of a chain up to the one named, without padding: a whole receptive field needs none."""
    for name, module in encoder.named_modules():
        if not list(module.children()):
            yield _unpadded(module)
        if name == last:
            return


def _unpadded(module: nn.Module) -> Step:
    if isinstance(module, nn.Conv2d):
        conv = module
        return lambda x: F.conv2d(x, conv.weight, conv.bias, conv.stride, 0, conv.dilation, conv.groups)
    if isinstance(module, nn.MaxPool2d):
        pool = module
        return lambda x: F.max_pool2d(x, pool.kernel_size, pool.stride, 0, pool.dilation)
    if isinstance(module, nn.AvgPool2d):
        mean = module
        return lambda x: F.avg_pool2d(x, mean.kernel_size, mean.stride, 0)
    return module


def blur(maps: Tensor, sigma: float) -> Tensor:
    """Each map (U, r, r) under a Gaussian of that standard deviation in pixels."""
    reach = max(1, round(3 * sigma))
    at = torch.arange(-reach, reach + 1, device=maps.device, dtype=maps.dtype)
    weights = torch.exp(-(at**2) / (2 * sigma**2))
    weights /= weights.sum()
    across = F.conv2d(maps[:, None], weights.view(1, 1, 1, -1), padding=(0, reach))
    return F.conv2d(across, weights.view(1, 1, -1, 1), padding=(reach, 0))[:, 0]


def half_maximum(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """(U, r, r) -> (U, 4): the box about all that is at least half of the maximum, from the middle of the map."""
    middle = maps.shape[1] / 2
    boxes = np.full((len(maps), 4), np.nan, dtype=np.float32)
    for unit, values in enumerate(maps):
        if values.max() > 0:
            ys, xs = np.nonzero(values >= values.max() / 2)
            boxes[unit] = (xs.min() - middle, ys.min() - middle, xs.max() + 1 - middle, ys.max() + 1 - middle)
    return boxes
