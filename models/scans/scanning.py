"""The one pass over a gallery: every layer's top images, statistics and embeddings, count vectors and their equation.

The conv layers see each image's native central square, the fully connected ones the checkpoint's own count crop.
Nothing of size (images x units x space) is kept: maps are reduced on the device as they come. At the end the units'
gradients on their best images tell which part of their receptive fields matters.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from models.card import AFTER_RELU, Card, LayerCard
from models.checkpoints import storage as checkpoints
from models.counting.equation import views
from models.encoders.receptive_field import is_chain, reach
from models.galleries.packs import Pack, Shard
from models.network import Network, scan_precision
from models.scans import effective_fields
from models.scans.behind import Behind
from models.scans.files import MEAN, POOLING, Equations, LayerPart, ScanInfo, ScanWriter, read_info
from models.scans.geometry import CountPath, Trunk
from models.scans.images import ScanImages, Shown
from models.scans.reductions import LayerRows, Reduced, reduce_map, reduce_vector
from models.scans.unit_tables import TOP_K

KERNEL = "area"
BATCH = {"cpu": 64, "cuda": 512}


class BadPlan(ValueError):
    """What is asked of a scan does not fit the checkpoint; the message names it."""

    code = "bad_scan"


@dataclass(frozen=True)
class Plan:
    """What to scan. `layers` None: all; `residual` None: wherever there is a counting head.

    `regions`: whether the part of its receptive field that matters to each unit is looked for, which takes as long for
    few images as for many.
    """

    checkpoint: str
    gallery: str
    layers: tuple[str, ...] | None = None
    residual: bool | None = None
    precision: str = "auto"
    top: int = TOP_K
    regions: bool = True

    def chosen(self, card: Card) -> tuple[LayerCard, ...]:
        """The layers in forward order. Raises BadPlan."""
        names = {layer.name for layer in card.layers} if self.layers is None else set(self.layers)
        unknown = names - {layer.name for layer in card.layers}
        if unknown or not names:
            raise BadPlan(f"no layer {', '.join(sorted(unknown))}; there are: {', '.join(x.name for x in card.layers)}")
        return tuple(layer for layer in card.layers if layer.name in names)

    def wants_residual(self, card: Card) -> bool:
        """Whether the counting equation is computed. Raises BadPlan where the network cannot count."""
        if self.residual and not card.has_counts:
            raise BadPlan(f"{card.name} has no counting head, so there is no residual to compute")
        counts = any(layer.kind == "counts" for layer in self.chosen(card))
        return counts if self.residual is None else self.residual


@dataclass(frozen=True)
class Eyes:
    """The networks of a scan, and what is read of them: `conv` on the trunk, `vector` on the count path."""

    trunk: Network
    counts: Network
    conv: tuple[LayerCard, ...]
    vector: tuple[LayerCard, ...]
    residual: bool
    precision: str

    @classmethod
    def open(cls, folder: Path, plan: Plan, *, device: str) -> "Eyes":
        """Load the checkpoint; the counting equation is always computed in fp32. Raises BadPlan, CheckpointChanged."""
        precision = scan_precision(plan.precision, device)
        trunk = checkpoints.load(folder, device=device, precision=precision)
        layers, residual = plan.chosen(trunk.card), plan.wants_residual(trunk.card)
        exact = residual and precision != "fp32"
        counts = checkpoints.load(folder, device=device, precision="fp32") if exact else trunk
        conv = tuple(layer for layer in layers if layer.on_trunk)
        vector = tuple(layer for layer in layers if not layer.on_trunk)
        return cls(trunk, counts, conv, vector, residual, precision)

    def how(self, plan: Plan) -> dict[str, object]:
        """What parts of one scan have in common."""
        return {
            "checkpoint_sha256": self.trunk.card.weights_sha256,
            "precision": self.precision,
            "layers": [layer.name for layer in (*self.conv, *self.vector)],
            "residual": self.residual,
            "top": plan.top,
            "maxima": True,
        }

    @property
    def mapped(self) -> tuple[LayerCard, ...]:
        """The layers with a map of their own units."""
        return tuple(layer for layer in self.conv if layer.kind == "conv")

    @property
    def has_regions(self) -> bool:
        """Whether gradients can be taken on receptive fields alone: networks whose modules just follow each other."""
        return is_chain(self.trunk.encoder) and all(layer.receptive_field is not None for layer in self.mapped)

    @property
    def counting(self) -> bool:
        """Whether the count path is walked at all."""
        return bool(self.vector) or self.residual

    def images(self, pack: Pack, *, resident: bool = False) -> ScanImages:
        """The pack's images as these networks see them."""
        how, device = self.trunk.card.preprocess, self.trunk.device
        return ScanImages(pack, how, device, squares=bool(self.conv), crops=self.counting, resident=resident)

    @torch.inference_mode()
    def look(self, squares: Tensor) -> dict[str, Reduced]:
        """The trunk layers' numbers for squares (B, 3, S, S) uint8."""
        with self.trunk.hooks([layer.name for layer in self.conv]) as seen:
            self.trunk.run_trunk(self.trunk.trunk_input(squares))
        return {
            layer.name: reduce_map(seen[layer.name])
            if layer.kind == "conv"
            else reduce_vector(seen[layer.name], keep_float=False)
            for layer in self.conv
        }

    @torch.inference_mode()
    def count(self, crops: Tensor) -> tuple[dict[str, Reduced], Tensor | None]:
        """The vector layers' numbers for crops (B, 3, crop, crop) uint8, and phi of all five views (B, 5, K)."""
        shown = views(self.counts, crops, KERNEL)  # (B, 5, 3, s, s), D(x) first
        shown = shown if self.residual else shown[:, :1]
        with self.counts.hooks([layer.name for layer in self.vector]) as seen:
            phi = self.counts.run_counts(shown.flatten(0, 1))
        numbers = {
            layer.name: reduce_vector(seen[layer.name][:: shown.shape[1]], keep_float=layer.kind == "counts")
            for layer in self.vector
        }
        return numbers, phi.float().view(*shown.shape[:2], -1) if self.residual else None


class ShardPass:
    """One shard on its way through the networks: batches in any order, results in row order."""

    def __init__(self, eyes: Eyes, rows: range, *, top: int) -> None:
        self.eyes, self.rows, self.top = eyes, rows, top
        self._layers: dict[str, LayerRows] = {}
        self._phi: Tensor | None = None

    def look(self, positions: Sequence[int], squares: Tensor) -> None:
        """Squares (B, 3, S, S) of the rows at these positions of the shard, through the conv trunk."""
        self._keep(positions, self.eyes.look(squares))

    def count(self, positions: Sequence[int], crops: Tensor) -> None:
        """Crops (B, 3, crop, crop) of the rows at these positions of the shard, through the count path."""
        numbers, phi = self.eyes.count(crops)
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
        """What to write down. Raises NotFinite."""
        parts = {name: layer.result(self.rows.start, self.top) for name, layer in self._layers.items()}
        if self._phi is None:
            return parts, None
        phi = self._phi.cpu()
        return parts, Equations(phi[:, 0].numpy(), phi[:, 1:].sum(dim=1).numpy())


def scan(
    pack: Pack,
    checkpoint: Path,
    folder: Path,
    plan: Plan,
    *,
    device: str,
    tick: Callable[[int], None],
    images: ScanImages | None = None,
) -> ScanInfo:
    """Scan the pack's shards that `folder` does not hold yet, then put the scan in force.

    `tick` is told how many rows are done and may raise to stop: finished shards stay, and the next call goes on there.
    `images` may be those of an earlier scan of the pack that saw them in the same way: what stayed resident is not
    decoded again.
    """
    began, earlier = time.monotonic(), _earlier(folder)
    if earlier is not None and plan.precision == "auto":
        plan = replace(plan, precision=earlier.precision)  # what is extended stays of one kind
    eyes = Eyes.open(checkpoint, plan, device=device)
    writer = ScanWriter(folder, eyes.how(plan))
    missing = [index for index, shard in enumerate(pack.shards) if not writer.has(index, shard)]
    done = len(pack) - sum(len(pack.shard_range(index)) for index in missing)
    tick(done)
    if images is None:
        images = eyes.images(pack)
        if plan.regions and eyes.mapped and eyes.has_regions:
            images.keep_where_it_pays()
    stream = images.rows([row for index in missing for row in pack.shard_range(index)])
    with Behind() as behind:
        for index in missing:
            current = ShardPass(eyes, pack.shard_range(index), top=plan.top)
            for row in _walk(current, stream):
                done += 1
                tick(done)
                assert row in current.rows
            now = time.monotonic()
            behind.run(partial(_write, writer, index, pack.shards[index], current, now - began))
            began = now
    info = describe(eyes, pack, plan, seconds=writer.seconds(len(pack.shards)))
    tables = {layer.name: writer.merged(layer.name, info) for layer in eyes.mapped if info.regions}
    regions = effective_fields.regions(eyes.trunk, images, tables, tick=lambda: tick(done)) if tables else {}
    info = replace(info, seconds=round(info.seconds + time.monotonic() - began, 2))
    writer.finish(info, regions)
    return info


def _write(writer: ScanWriter, index: int, shard: Shard, current: ShardPass, seconds: float) -> None:
    writer.write(index, shard, *current.result(), seconds=seconds)


def _walk(current: ShardPass, images: Iterator[tuple[int, Shown]]) -> Iterator[int]:
    """Take the shard's images from the stream, group them by size, and run each group when it fills a batch."""
    batch = BATCH.get(current.eyes.trunk.device.type, BATCH["cpu"])
    squares: dict[int, list[tuple[int, Tensor]]] = defaultdict(list)
    crops: list[tuple[int, Tensor]] = []
    for position in range(len(current.rows)):
        row, shown = next(images)
        if current.eyes.conv and shown.square is not None:
            group = squares[shown.square.shape[-1]]
            group.append((position, shown.square))
            _run(current.look, group, batch)
        if current.eyes.counting and shown.crop is not None:
            crops.append((position, shown.crop))
            _run(current.count, crops, batch)
        yield row
    for group in squares.values():
        _run(current.look, group, 1)
    _run(current.count, crops, 1)


def _run(walk: Callable[[Sequence[int], Tensor], None], group: list[tuple[int, Tensor]], least: int) -> None:
    """Run a group that holds at least so many images, and empty it."""
    if len(group) < least:
        return
    positions, images = zip(*group, strict=True)
    walk(positions, _batch(images))
    group.clear()


def _batch(images: Sequence[Tensor]) -> Tensor:
    """Images (3, S, S) as one channels-last batch: decoders give channels last, so this copies whole rows."""
    return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)


def describe(eyes: Eyes, pack: Pack, plan: Plan, *, seconds: float) -> ScanInfo:
    """What scan.json will say."""
    card = eyes.trunk.card
    how = card.preprocess
    trunk = Trunk(size=how.trunk_size, smallest=how.size, resize=how.resize)
    sides = {trunk.side(row.jpeg_width, row.jpeg_height) for row in pack.metadata(range(len(pack)))}
    local = [layer for layer in eyes.conv if layer.receptive_field is not None]
    ends = {side: reach(eyes.trunk.encoder, [layer.module for layer in local], side) for side in sorted(sides)}
    seen = {layer.name: {str(side): ends[side][layer.module] for side in ends} for layer in local}
    counts = CountPath(how.crop, how.region, how.size, KERNEL) if eyes.counting else None
    return ScanInfo(
        checkpoint=plan.checkpoint,
        checkpoint_sha256=card.weights_sha256,
        architecture=card.architecture,
        gallery=plan.gallery,
        shards=pack.shards,
        rows=len(pack),
        layers=(*eyes.conv, *eyes.vector),
        top_k=plan.top,
        precision=eyes.precision,
        count_precision="fp32" if eyes.residual else eyes.precision,
        residual=eyes.residual,
        trunk=replace(trunk, reach=seen),
        counts=counts,
        seconds=round(seconds, 2),
        maxima=True,
        regions=plan.regions and eyes.has_regions,
        pooling=POOLING if all(layer.value == AFTER_RELU for layer in (*eyes.conv, *eyes.vector)) else MEAN,
    )


def _earlier(folder: Path) -> ScanInfo | None:
    """The scan that this one extends."""
    try:
        return read_info(folder)
    except ValueError:
        return None
