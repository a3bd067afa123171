"""Shortcuts: what a single part of a puzzle reveals, measured by a linear map from its features.

Doersch, Gupta, Efros, "Unsupervised Visual Representation Learning by Context Prediction", ICCV 2015, section 3: a
network predicted from one patch where in the photo it was, by the colour fringes of the lens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.crops import centre
from models.seeds import generator
from models.statistics import bootstrapped

if TYPE_CHECKING:
    from models.tasks.base import Task

BATCH = 64
PENALTIES = tuple(10.0**power for power in range(-2, 6))  # of the ridge, chosen by leaving out one part
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """Squared errors for each part of the images on which nothing was fitted, (n, parts).

    `errors` are those of the linear map, `of_mean` those of always predicting the mean.
    """

    errors: Doubles
    of_mean: Doubles


def shortcut_errors(task: Task, regions: Sequence[Tensor], seed: int) -> dict[str, tuple[dict[str, Any], float]]:
    """For each shortcut of the task the root mean square error with its 95 % interval, and that of the mean."""
    found: dict[str, list[tuple[Tensor, Tensor]]] = {}
    training, device = task.training, next(task.parameters()).device
    task.eval()
    with torch.inference_mode():
        for number, start in enumerate(range(0, len(regions), BATCH)):
            crops = torch.stack([centre(region, task.preprocess().crop) for region in regions[start : start + BATCH]])
            given = task.shortcuts(crops.to(device), generator(seed, number, 6))
            for name, (features, truth) in given.items():
                found.setdefault(name, []).append((features.float().cpu(), truth.float().cpu()))
    task.train(training)
    report = {}
    for name, parts in found.items():
        reading = read(*(torch.cat(both).double().numpy() for both in zip(*parts, strict=True)))
        report[name] = _cell(reading.errors, seed), float(np.sqrt(reading.of_mean.mean()))
    return report


def read(features: Doubles, truth: Doubles) -> Reading:
    """A ridge regression of the truth (n, parts, T) on features (n, parts, F): fitted on even images, tested on odd."""
    from sklearn.linear_model import RidgeCV  # here: importing it takes seconds

    inputs, wanted = (part[0::2].reshape(-1, part.shape[-1]) for part in (features, truth))
    tried, right = features[1::2], truth[1::2]
    middle, spread = inputs.mean(axis=0), inputs.std(axis=0)
    spread[spread == 0] = 1
    model = RidgeCV(alphas=PENALTIES).fit((inputs - middle) / spread, wanted)
    predicted = model.predict((tried.reshape(-1, tried.shape[-1]) - middle) / spread).reshape(right.shape)
    mean = wanted.mean(axis=0)
    return Reading(np.square(predicted - right).sum(axis=-1), np.square(mean - right).sum(axis=-1))


def _cell(errors: Doubles, seed: int) -> dict[str, Any]:
    """The error as a cell. Parts of one image are alike, so whole images are drawn again; n counts parts."""
    found = bootstrapped(lambda rows: float(np.sqrt(errors[rows].mean())), len(errors), seed=seed)
    return {**found, "n": errors.size}
