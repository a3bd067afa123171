"""One pass over a gallery: best images and statistics of every unit, embeddings, count vectors and their equation.

The conv layers see each image's native central square, the fully connected ones the checkpoint's own count crop.
Nothing of size (images x units x space) is kept: maps are reduced on the device at once. At the end the units'
gradients on their best images show which part of their receptive fields matters.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from models.card import AFTER_RELU
from models.encoders.receptive_field import reach
from models.galleries.packs import Pack, Shard
from models.scans import effective_fields
from models.scans.background_writer import BackgroundWriter
from models.scans.files import MEAN, POOLING, Equations, LayerPart, ScanInfo, ScanWriter
from models.scans.geometry import CountPath, Trunk
from models.scans.images import PathInputs, ScanImages
from models.scans.networks import KERNEL, ScanNetworks
from models.scans.plans import ScanPlan
from models.scans.reductions import LayerRows, Reduced

BATCH = {"cpu": 64, "cuda": 512}


class ShardPass:
    """One shard while it is scanned: batches come in any order, results are in row order."""

    def __init__(self, networks: ScanNetworks, rows: range, *, top: int) -> None:
        self.networks, self.rows, self.top = networks, rows, top
        self._layers: dict[str, LayerRows] = {}
        self._phi: Tensor | None = None

    def take_squares(self, positions: Sequence[int], squares: Tensor) -> None:
        """Squares (B, 3, S, S) of the rows at these positions of the shard, through the conv trunk."""
        self._keep(positions, self.networks.trunk_numbers(squares))

    def take_crops(self, positions: Sequence[int], crops: Tensor) -> None:
        """Crops (B, 3, crop, crop) of the rows at these positions of the shard, through the count path."""
        numbers, phi = self.networks.count_numbers(crops)
        self._keep(positions, numbers)
        if phi is not None:
            if self._phi is None:
                self._phi = phi.new_zeros((len(self.rows), *phi.shape[1:]))
            self._phi[torch.as_tensor(positions, device=phi.device)] = phi

    def _keep(self, positions: Sequence[int], numbers: Mapping[str, Reduced]) -> None:
        for name, part in numbers.items():
            if name not in self._layers:
                self._layers[name] = LayerRows(name, len(self.rows), part)
            self._layers[name].put(torch.as_tensor(positions, device=part.maxima.device), part)

    @torch.inference_mode()
    def result(self) -> tuple[dict[str, LayerPart], Equations | None]:
        """The parts to be written. Raises NotFinite."""
        parts = {name: layer.result(self.rows.start, self.top) for name, layer in self._layers.items()}
        if self._phi is None:
            return parts, None
        phi = self._phi.cpu()
        return parts, Equations(phi[:, 0].numpy(), phi[:, 1:].sum(dim=1).numpy())


def scan(
    pack: Pack,
    networks: ScanNetworks,
    folder: Path,
    plan: ScanPlan,
    *,
    tick: Callable[[int], None],
    images: ScanImages | None = None,
) -> ScanInfo:
    """Scan the pack's shards that `folder` does not hold yet, then complete the scan.

    The networks are those of the plan, as `open_for_scan` of models/checkpoints/scan_networks.py loads them. `tick` is
    called with the number of rows done and may raise to stop: finished shards stay, and the next call goes on after
    them.
    `images` may be those of an earlier scan of the pack that prepared them in the same way: those that stayed resident
    are not decoded again.
    """
    began = time.monotonic()
    writer = ScanWriter(folder, networks.how(plan))
    missing = [index for index, shard in enumerate(pack.shards) if not writer.has(index, shard)]
    done = len(pack) - sum(len(pack.shard_range(index)) for index in missing)
    tick(done)
    if images is None:
        images = networks.images(pack)
        if plan.regions and networks.mapped and networks.has_regions:
            images.keep_where_it_pays()
    stream = images.rows([row for index in missing for row in pack.shard_range(index)])
    with BackgroundWriter() as background:
        for index in missing:
            current = ShardPass(networks, pack.shard_range(index), top=plan.top)
            for row in _walk(current, stream):
                done += 1
                tick(done)
                assert row in current.rows
            now = time.monotonic()
            background.run(partial(_write, writer, index, pack.shards[index], current, now - began))
            began = now
    info = describe(networks, pack, plan, seconds=writer.seconds(len(pack.shards)))
    tables = {layer.name: writer.merged(layer.name, info) for layer in networks.mapped if info.regions}
    regions = effective_fields.regions(networks.trunk, images, tables, tick=lambda: tick(done)) if tables else {}
    info = replace(info, seconds=round(info.seconds + time.monotonic() - began, 2))
    writer.finish(info, regions)
    return info


def _write(writer: ScanWriter, index: int, shard: Shard, current: ShardPass, seconds: float) -> None:
    writer.write(index, shard, *current.result(), seconds=seconds)


def _walk(current: ShardPass, images: Iterator[tuple[int, PathInputs]]) -> Iterator[int]:
    """Take the shard's images from the stream, group them by size, and run each group when it fills a batch."""
    batch = BATCH.get(current.networks.trunk.device.type, BATCH["cpu"])
    squares: dict[int, list[tuple[int, Tensor]]] = defaultdict(list)
    crops: list[tuple[int, Tensor]] = []
    for position in range(len(current.rows)):
        row, inputs = next(images)
        if current.networks.conv and inputs.square is not None:
            group = squares[inputs.square.shape[-1]]
            group.append((position, inputs.square))
            _run(current.take_squares, group, batch)
        if current.networks.counting and inputs.crop is not None:
            crops.append((position, inputs.crop))
            _run(current.take_crops, crops, batch)
        yield row
    for group in squares.values():
        _run(current.take_squares, group, 1)
    _run(current.take_crops, crops, 1)


def _run(walk: Callable[[Sequence[int], Tensor], None], group: list[tuple[int, Tensor]], least: int) -> None:
    """Run a group that holds at least `least` images, and empty it."""
    if len(group) < least:
        return
    positions, images = zip(*group, strict=True)
    walk(positions, _batch(images))
    group.clear()


def _batch(images: Sequence[Tensor]) -> Tensor:
    """Images (3, S, S) as one channels-last batch: decoders give channels last, so this copies whole rows."""
    return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)


def describe(networks: ScanNetworks, pack: Pack, plan: ScanPlan, *, seconds: float) -> ScanInfo:
    """The content of scan.json."""
    card = networks.trunk.card
    how = card.preprocess
    trunk = Trunk(size=how.trunk_size, smallest=how.size, resize=how.resize)
    sides = {trunk.side(row.jpeg_width, row.jpeg_height) for row in pack.metadata(range(len(pack)))}
    local = [layer for layer in networks.conv if layer.receptive_field is not None]
    ends = {side: reach(networks.trunk.encoder, [layer.module for layer in local], side) for side in sorted(sides)}
    seen = {layer.name: {str(side): ends[side][layer.module] for side in ends} for layer in local}
    counts = CountPath(how.crop, how.region, how.size, KERNEL) if networks.counting else None
    return ScanInfo(
        checkpoint=plan.checkpoint,
        checkpoint_sha256=card.weights_sha256,
        architecture=card.architecture,
        gallery=plan.gallery,
        shards=pack.shards,
        rows=len(pack),
        layers=(*networks.conv, *networks.vector),
        top_k=plan.top,
        precision=networks.precision,
        count_precision="fp32" if networks.residual else networks.precision,
        residual=networks.residual,
        trunk=replace(trunk, reach=seen),
        counts=counts,
        seconds=round(seconds, 2),
        maxima=True,
        regions=plan.regions and networks.has_regions,
        pooling=POOLING if all(layer.value == AFTER_RELU for layer in (*networks.conv, *networks.vector)) else MEAN,
    )
