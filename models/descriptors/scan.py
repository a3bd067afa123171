"""The scan of a gallery with a descriptor: its vector of every image, and each component's best images."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from models.card import Card, read_card, verify_weights
from models.cores import usable_cores
from models.descriptors.base import Descriptor, Floats
from models.descriptors.files import descriptor_of
from models.galleries.packs import Pack
from models.scans.files import LayerPart, ScanInfo, ScanWriter
from models.scans.geometry import Trunk
from models.scans.reductions import reduce_vector, tabulate
from models.workers import workers

AHEAD = 32  # described images waiting, per thread


def scan_descriptor(
    pack: Pack, checkpoint: Path, folder: Path, *, name: str, gallery: str, top: int, tick: Callable[[int], None]
) -> ScanInfo:
    """Describe the pack's shards that `folder` does not hold yet, then complete the scan, whose files are those of any
    scan.

    `tick` is called with the number of rows done and may raise to stop. Raises CheckpointChanged.
    """
    card = read_card(checkpoint)
    verify_weights(checkpoint, card)
    descriptor = descriptor_of(card)
    if descriptor is None:
        raise ValueError(f"{card.name} is no descriptor")
    how = {"checkpoint_sha256": card.weights_sha256, "layers": [descriptor.name], "top": top}
    writer = ScanWriter(folder, how)
    missing = [index for index, shard in enumerate(pack.shards) if not writer.has(index, shard)]
    done = len(pack) - sum(len(pack.shard_range(index)) for index in missing)
    tick(done)
    for index in missing:
        began, rows, vectors = time.monotonic(), pack.shard_range(index), []
        for vector in described(descriptor, pack, rows):
            vectors.append(vector)
            done += 1
            tick(done)
        part = _part(np.stack(vectors), first_row=rows.start, top=top)
        seconds = time.monotonic() - began
        writer.write(index, pack.shards[index], {descriptor.name: part}, None, seconds=seconds)
    info = replace(_info(card, pack, name, gallery, top), seconds=round(writer.seconds(len(pack.shards)), 2))
    writer.finish(info)
    return info


def described(descriptor: Descriptor, pack: Pack, rows: Sequence[int]) -> Iterator[Floats]:
    """Each row's vector, in order, computed ahead in threads."""
    threads = usable_cores()
    with workers(threads, "describe") as pool:
        waiting: deque[Future[Floats]] = deque()
        for row in rows:
            waiting.append(pool.submit(_describe, descriptor, pack, row))
            if len(waiting) >= threads * AHEAD:
                yield waiting.popleft().result()
        for future in waiting:
            yield future.result()


def _describe(descriptor: Descriptor, pack: Pack, row: int) -> Floats:
    return descriptor.describe(pack.jpeg(row))[0]


def _part(vectors: Floats, *, first_row: int, top: int) -> LayerPart:
    """What one shard gives: embeddings as a scan stores them, and the unit table."""
    reduced = reduce_vector(torch.from_numpy(vectors), keep_float=False)
    return LayerPart(reduced.pooled.numpy(), tabulate(reduced, first_row=first_row, top=top))


def _info(card: Card, pack: Pack, name: str, gallery: str, top: int) -> ScanInfo:
    return ScanInfo(
        checkpoint=name,
        checkpoint_sha256=card.weights_sha256,
        architecture=card.architecture,
        gallery=gallery,
        shards=pack.shards,
        rows=len(pack),
        layers=card.layers,
        top_k=top,
        precision="fp32",
        count_precision="fp32",
        residual=False,
        trunk=Trunk(size=None, smallest=1),
        counts=None,
        pooling="the descriptor itself",
        maxima=True,
    )
