"""How well a task is solved on held-out images: all its measures, beside those of the untrained network and chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.crops import centre
from models.search.knn_accuracy import share_of
from models.seeds import generator
from models.statistics import bootstrapped
from models.tasks.shortcuts import shortcut_errors

if TYPE_CHECKING:
    from models.tasks.base import Task

BATCH = 64
SIGMAS = 5.0  # over guessing: what counts as having learned a puzzle
GAIN = "gain_"  # so begin measures that are differences from guessing, image by image
Doubles = NDArray[np.float64]


def held_out(
    task: Task, regions: Sequence[Tensor], targets: Tensor | None, seed: int, again: int = 0
) -> dict[str, Doubles]:
    """Each measure of each image, (n,), in evaluation mode, for the middle crop of each region.

    Views are drawn from `seed`; `again` is the number of puzzles already drawn of the same images. Weights, other
    random numbers and training mode stay as they are.
    """
    training, device = task.training, next(task.parameters()).device
    task.eval()
    found: dict[str, list[Tensor]] = {}
    parts = np.array_split(np.arange(len(regions)), max(1, -(-len(regions) // BATCH)))  # none of a single image
    with torch.inference_mode():
        for number, rows in enumerate(parts):
            crops = torch.stack([centre(regions[row], task.preprocess().crop) for row in rows]).to(device)
            wanted = None if targets is None else targets[torch.as_tensor(rows)].to(device)
            views = task.views(crops, generator(seed, number, 5, *([again] if again else [])), wanted)
            for name, values in task.measure(task(views.inputs).float(), views.target).items():
                found.setdefault(name, []).append(values.float().flatten(1).mean(1) if values.ndim > 1 else values)
    task.train(training)
    return {name: torch.cat(values).double().cpu().numpy() for name, values in found.items()}


def puzzles(task: Task, regions: Sequence[Tensor], targets: Tensor | None, seed: int) -> dict[str, Doubles]:
    """The same for as many puzzles of each image as the task asks for, (n, puzzles)."""
    rounds = [held_out(task, regions, targets, seed, again) for again in range(task.puzzles_an_image)]
    return {name: np.stack([found[name] for found in rounds], axis=1) for name in rounds[0]}


def cells(values: Mapping[str, Doubles], seed: int) -> dict[str, dict[str, Any]]:
    """Mean, 95 % interval over images and n of each measure, (images, puzzles) each; n counts puzzles.

    Puzzles of which a measure is not defined (NaN) are left out.
    """
    return {name: _cell(of, seed) for name, of in values.items() if not np.isnan(of).all()}


def five_sigma(chance: float, n: int) -> float:
    """The share that guessing exceeds by chance less than once in three million: five deviations of n guesses."""
    return chance + SIGMAS * math.sqrt(chance * (1 - chance) / n)


def five_deviations(gains: Doubles) -> float:
    """How far from 0 the mean of differences (images, puzzles) must be: five standard errors over the images."""
    images = np.nanmean(gains[~np.isnan(gains).all(axis=1)], axis=1)
    return SIGMAS * float(images.std(ddof=1)) / math.sqrt(len(images)) if len(images) > 1 else math.inf


def evaluate_task(
    task: Task,
    before: Task,
    regions: Sequence[Tensor],
    targets: Tensor | None,
    *,
    seed: int,
    tick: Callable[[str], None],
) -> dict[str, Any]:
    """A card's measures: the network, the same network untrained, what guessing gives, and five sigma beyond that."""
    tick("scoring the network on held-out images")
    found = puzzles(task, regions, targets, seed)
    report: dict[str, Any] = {"network": cells(found, seed)}
    tick("scoring random initialisation")
    before.adopt(task)
    report["random_init"] = cells(puzzles(before, regions, targets, seed), seed)
    chance = dict(task.chance())
    for column, network in (("network", task), ("random_init", before)):
        for name, (cell, mean) in shortcut_errors(network, regions, seed).items():
            report[column][name], chance[name] = cell, mean
    if chance:
        report["chance"] = {name: {"value": value, "interval": None, "n": None} for name, value in chance.items()}
        counted = {name: report["network"][name]["n"] for name in chance if name in report["network"]}
        report["five_sigma"] = {
            name: {"value": five_sigma(chance[name], n), "interval": None, "n": n}
            for name, n in counted.items()
            if name.startswith("accuracy")
        }
        for name in (name for name in counted if name.startswith(GAIN)):
            if math.isfinite(bar := five_deviations(found[name])):
                report["five_sigma"][name] = {"value": bar, "interval": None, "n": counted[name]}
    return report


def _cell(values: Doubles, seed: int) -> dict[str, Any]:
    """A measure as a cell. Puzzles of one image are alike: whole images are drawn again, with all their puzzles."""
    known = values[~np.isnan(values)]
    single, alike = values.shape[1] == 1, len(np.unique(known)) == 1
    if (single or alike) and np.isin(known, (0.0, 1.0)).all():
        return share_of(known == 1)  # Wilson's interval does not shrink to nothing at 0 and 1
    rows = values[~np.isnan(values).all(axis=1)]
    found = bootstrapped(lambda drawn: float(np.nanmean(rows[drawn])), len(rows), seed=seed)
    return {**found, "n": len(known)}
