"""20-NN accuracy and precision at 5 of a checkpoint on a labelled gallery with two splits, beside its controls.

    python -m benchmarks.neighbours WORKSPACE/checkpoints/counting-photos WORKSPACE/galleries/photos-eval [--write]

The controls are the same network before its first step, and raw pixels at 16 x 16. With `--write` the figures are added
to the checkpoint's card.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.card import read_card, write_card
from models.checkpoints import storage as checkpoints
from models.counting.equation import views
from models.crops import count_view, trunk_square
from models.galleries.loading import decode_rows
from models.galleries.packs import Pack
from models.network import Network
from models.recipes import build_config
from models.resampling import fit_square
from models.search.knn_accuracy import knn_accuracy, precision
from models.seeds import generator
from models.tasks import TASKS

BATCH = 64
LAYERS = ("conv5", "counts")


def features(network: Network, images: Sequence[Tensor]) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """The spatial mean of conv5 and the count vector of each image (3, H, W), by layer: (images, units)."""
    found: dict[str, list[Tensor]] = {name: [] for name in LAYERS}
    how = network.card.preprocess
    for start in range(0, len(images), BATCH):
        part = images[start : start + BATCH]
        squares = torch.stack([fit_square(trunk_square(image, how)[0], how.region) for image in part])
        with network.hooks(["conv5"]) as seen:
            network.run_trunk(network.trunk_input(squares))
        found["conv5"].append(seen["conv5"].float().mean(dim=(2, 3)))
        crops = torch.stack([count_view(image, how)[0] for image in part])
        found["counts"].append(network.run_counts(views(network, crops)[:, 0]).float())
    return {name: torch.cat(parts).cpu().numpy() for name, parts in found.items()}


def untrained(folder: Path) -> Network:
    """The checkpoint's network before its first step, drawn from the seed on its card."""
    card = read_card(folder)
    assert card.task is not None and card.recipe is not None
    config = build_config(card.task, card.recipe, card.config)
    task = TASKS[card.task].build(config, generator(int(card.provenance["seed"]), 0, 0))
    return Network(card, task.encoder, task.head, "cpu", torch.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("gallery", type=Path)
    parser.add_argument("--every", type=int, default=1, help="look at every n-th image only")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with Pack.open(options.gallery) as pack:
        chosen = range(0, len(pack), options.every)
        rows = pack.metadata(chosen)
        images = [image for _, image in decode_rows(pack, chosen)]
    names = sorted({row.label for row in rows if row.label is not None})
    labels = np.array([names.index(row.label or names[0]) for row in rows])
    train, test = (np.array([i for i, row in enumerate(rows) if row.split == split]) for split in ("train", "test"))

    def figures_of(name: str, vectors: np.ndarray[Any, np.dtype[np.float32]]) -> dict[str, Any]:
        sets = (vectors[train], labels[train], vectors[test], labels[test])
        return {f"knn20_{name}": knn_accuracy(*sets), f"precision5_{name}": precision(*sets)}

    small = torch.stack([fit_square(image[:, : min(image.shape[1:]), : min(image.shape[1:])], 16) for image in images])
    report: dict[str, dict[str, Any]] = {"raw_pixels": figures_of("counts", small.flatten(1).float().numpy() / 255)}
    for group, network in {
        "network": checkpoints.load(options.checkpoint),
        "random_init": untrained(options.checkpoint),
    }.items():
        found = features(network, images)
        report[group] = {key: figure for name in LAYERS for key, figure in figures_of(name, found[name]).items()}
    for group, figures in report.items():
        for name, figure in figures.items():
            low, high = figure["interval"]
            print(f"{group:12s} {name:18s} {figure['value']:.3f} ({low:.3f} to {high:.3f}), n = {figure['n']}")
    if options.write:
        card = read_card(options.checkpoint)
        measures = {**card.measures}
        for group, figures in report.items():
            measures[group] = {**measures.get(group, {}), **figures}
        write_card(options.checkpoint, replace(card, measures=measures))


if __name__ == "__main__":
    main()
