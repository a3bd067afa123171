"""How well a task is solved on held-out images: every measure that it names, beside its untrained self and chance."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.batches import centre, generator
from models.measures import bootstrapped
from models.neighbours import share_of
from models.tasks.base import Task

BATCH = 64
Doubles = NDArray[np.float64]


def held_out(task: Task, regions: Sequence[Tensor], targets: Tensor | None, seed: int) -> dict[str, Doubles]:
    """Each measure of each image, (n,), in evaluation mode; the middle crop of each region, views of the same seed.

    Weights, random numbers of others and training mode are left as they are.
    """
    training, device = task.training, next(task.parameters()).device
    task.eval()
    found: dict[str, list[Tensor]] = {}
    parts = np.array_split(np.arange(len(regions)), max(1, -(-len(regions) // BATCH)))  # none of a single image
    with torch.inference_mode():
        for number, rows in enumerate(parts):
            crops = torch.stack([centre(regions[row], task.preprocess().crop) for row in rows]).to(device)
            wanted = None if targets is None else targets[torch.as_tensor(rows)].to(device)
            views = task.views(crops, generator(seed, number, 5), wanted)
            for name, values in task.measure(task(views.inputs).float(), views.target).items():
                found.setdefault(name, []).append(values.float().flatten(1).mean(1) if values.ndim > 1 else values)
    task.train(training)
    return {name: torch.cat(values).double().cpu().numpy() for name, values in found.items()}


def cells(values: Mapping[str, Doubles], seed: int) -> dict[str, dict[str, Any]]:
    """Mean, 95 % interval over images and n of each measure; images of which it is not defined (NaN) are left out."""
    defined = {name: of[~np.isnan(of)] for name, of in values.items()}
    return {name: _cell(of, seed) for name, of in defined.items() if len(of)}


def evaluate_task(
    task: Task,
    before: Task,
    regions: Sequence[Tensor],
    targets: Tensor | None,
    *,
    seed: int,
    tick: Callable[[str], None],
) -> dict[str, Any]:
    """A card's measures: the network, the same network untrained, and what guessing gives."""
    tick("scoring the network on held-out images")
    report: dict[str, Any] = {"network": cells(held_out(task, regions, targets, seed), seed)}
    tick("scoring random initialisation")
    before.adopt(task)
    report["random_init"] = cells(held_out(before, regions, targets, seed), seed)
    if chance := task.chance():
        report["chance"] = {name: {"value": value, "interval": None, "n": None} for name, value in chance.items()}
    return report


def _cell(values: Doubles, seed: int) -> dict[str, Any]:
    if np.isin(values, (0.0, 1.0)).all():  # a share: Wilson's interval does not shrink to nothing at 0 and 1
        return share_of(values == 1)
    return bootstrapped(lambda rows: float(values[rows].mean()), len(values), seed=seed)
