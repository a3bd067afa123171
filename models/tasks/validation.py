"""What a task says of held-out images while it trains: measures, and one fixed image's views as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.card import Card, Reference
from models.crops import centre
from models.filters.measures import median_tv_ratio
from models.seeds import generator
from models.tasks.scoring import held_out

if TYPE_CHECKING:
    from models.tasks.base import Task

PARTNERS = 4  # images of a batch in which the fixed one is drawn: some puzzles take pieces of another


@dataclass(frozen=True)
class HeldOut:
    """Images that a training keeps out: regions (3, s, s) uint8, their targets where the task has some, and a seed.

    The seed decides which puzzles are made of them.
    """

    regions: Sequence[Tensor]
    targets: Tensor | None = None
    seed: int = 0


@dataclass(frozen=True)
class Watched:
    """A network in the middle of its training: measures on held-out images, by the names of their curves.

    `totals` are the sums of what a network counts in each view of the fixed image; empty where it counts nothing.
    """

    measures: Mapping[str, float]
    totals: tuple[float, ...] = ()


@dataclass(frozen=True)
class FixedViews:
    """What the network is shown of one image, as pictures (h, w, 3) uint8; `question` and `captions` where it is asked.

    `names` are those of the pictures' files where they have names of their own; else they are numbered.
    """

    pictures: tuple[NDArray[np.uint8], ...]
    question: str = ""
    captions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scored:
    """The measures of a finished network for its card, and count vectors to compare images with where it counts."""

    measures: dict[str, Any]
    reference: Reference | None = None


def watched(task: Task, images: HeldOut, card: Card) -> Watched:
    """The means of the task's own measures, and how rough the first filters are."""
    values = held_out(task, images.regions, images.targets, images.seed)
    measures = {
        f"held_out_{name}": float(np.nanmean(found)) for name, found in values.items() if not np.isnan(found).all()
    }
    return Watched({**measures, "conv1_tv_ratio": first_layer_roughness(task, card)})


def first_layer_roughness(task: Task, card: Card) -> float:
    """The median total-variation ratio of the encoder's first filters."""
    filters = task.encoder.get_parameter(f"{card.first_layer.name}.weight")
    return median_tv_ratio(filters.detach().float().cpu().numpy())


def puzzle_views(task: Task, images: HeldOut, fixed: int, card: Card) -> FixedViews:
    """The puzzle that is made of the image at the place `fixed`, in a batch with a few others."""
    order = [fixed, *(place for place in range(len(images.regions)) if place != fixed)][:PARTNERS]
    crops = torch.stack([centre(images.regions[place], card.preprocess.crop) for place in order])
    targets = None if images.targets is None else images.targets[order]
    device = next(task.parameters()).device
    with torch.inference_mode():
        views = task.views(crops.to(device), generator(images.seed, 6), None if targets is None else targets.to(device))
    puzzle = task.puzzle(views, 1)
    captions = tuple(item.caption for item in puzzle.shown)
    return FixedViews(tuple(item.pixels for item in puzzle.shown), puzzle.question, captions)
