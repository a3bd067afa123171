"""Evaluate every snapshot of a training on a gallery: the best images of each unit, and the accuracy of neighbours."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.card import read_card
from models.checkpoints import storage as checkpoints
from models.crops import trunk_square
from models.evaluations.rows import Rows, even
from models.galleries.loading import decode_rows
from models.galleries.packs import Pack
from models.network import Network
from models.scans.reductions import reduce_map
from models.scans.timelines import TOP, Timeline
from models.search.knn_accuracy import knn_hits, share_of
from models.training import snapshots

BATCH = 64
K = 20
LEAST = 2 * K  # labelled images, half of them to search in
Reduced = dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]  # by layer: maxima and pooled means, (n, U) each


class NoSnapshots(ValueError):
    """The checkpoint kept nothing of its training."""

    code = "no_snapshots"


def grow(pack: Pack, folder: Path, *, images: int, device: str, tick: Callable[[int, int], None]) -> Timeline:
    """The timeline of a checkpoint over at most so many images, evenly spread. Raises NoSnapshots."""
    card, kept = read_card(folder), snapshots.kept(folder)
    if not kept:
        raise NoSnapshots(f"{card.name} kept no snapshots of its training; train anew to see it grow")
    rows = even(np.arange(len(pack)), images)
    squares = _squares(pack, rows, checkpoints.load(folder, device=device))
    steps = (*kept, int(card.provenance.get("steps", kept[-1] + 1)))
    best: dict[str, list[NDArray[np.int64]]] = defaultdict(list)
    values: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    knn: dict[str, list[dict[str, Any]]] = defaultdict(list)
    codes = pack.label_codes()[rows]
    for number, step in enumerate(steps):
        tick(number, len(steps))
        encoder = checkpoints.encoder_at(folder, card, step) if step in kept else None
        network = checkpoints.load(folder, device=device)
        if encoder is not None:
            network = Network(card, encoder, None, device, torch.float32)
        for name, (maxima, pooled) in _unit_answers(network, squares, len(rows)).items():
            order = np.argsort(-maxima, axis=0, kind="stable")[:TOP]  # (TOP, U)
            best[name].append(rows[order].T)
            values[name].append(np.take_along_axis(maxima, order, axis=0).T)
            if (hits := _neighbours(pooled, codes)) is not None:
                knn[name].append(share_of(hits))
    tick(len(steps), len(steps))
    return Timeline(
        steps=steps,
        images=len(rows),
        weights_sha256=card.weights_sha256,
        gallery_fingerprint=pack.fingerprint,
        rows={name: np.stack(parts).astype(np.int32) for name, parts in best.items()},
        values={name: np.stack(parts).astype(np.float32) for name, parts in values.items()},
        knn=dict(knn),
        chance=float(np.bincount(codes[codes >= 0]).max() / (codes >= 0).sum()) if knn else None,
    )


def _squares(pack: Pack, rows: Rows, network: Network) -> dict[int, list[tuple[int, Tensor]]]:
    """What the trunk reads of each image, grouped by side: place and square (3, s, s) uint8."""
    found: dict[int, list[tuple[int, Tensor]]] = defaultdict(list)
    for place, (_, image) in enumerate(decode_rows(pack, rows.tolist())):
        square = trunk_square(image, network.card.preprocess)[0]
        found[square.shape[-1]].append((place, square))
    return found


def _unit_answers(network: Network, squares: dict[int, list[tuple[int, Tensor]]], count: int) -> Reduced:
    """The largest value and the mean of every unit of the trunk in every image."""
    layers = [layer for layer in network.card.trunk_layers if layer.kind == "conv"]
    found = {
        layer.name: (np.zeros((count, layer.units), np.float32), np.zeros((count, layer.units), np.float32))
        for layer in layers
    }
    for places, batch in _batches(squares):
        with torch.inference_mode(), network.hooks([layer.name for layer in layers]) as seen:
            network.run_trunk(network.trunk_input(batch))
            for layer in layers:
                reduced = reduce_map(seen[layer.name])
                found[layer.name][0][places] = reduced.maxima.cpu().numpy()
                found[layer.name][1][places] = reduced.pooled.float().cpu().numpy()
    return found


def _batches(squares: dict[int, list[tuple[int, Tensor]]]) -> Iterator[tuple[list[int], Tensor]]:
    for group in squares.values():
        for start in range(0, len(group), BATCH):
            part = group[start : start + BATCH]
            yield [place for place, _ in part], torch.stack([square for _, square in part])


def _neighbours(features: NDArray[np.float32], codes: NDArray[np.int32]) -> NDArray[np.bool_] | None:
    """Whether every second labelled image is in the class of its 20 nearest among the others; None without classes."""
    labelled = np.flatnonzero(codes >= 0)
    if len(labelled) < LEAST or len(set(codes[labelled].tolist())) < 2:
        return None
    known, asked = labelled[::2], labelled[1::2]
    return knn_hits(features[known], codes[known].astype(np.int64), features[asked], codes[asked].astype(np.int64), k=K)
