"""Looks at held-out images while a network trains: does it count yet, and what does one fixed image count?

A look changes neither weights nor random numbers, so a run ends in the same weights however often it looks.
"""

import io
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from models.atomic import write_bytes
from models.card import Card
from models.equation import count_crops
from models.evaluation import centre, sides
from models.filters import measure as filter_measures
from models.looks import VIEWS, Look, Looks, picture_path, read_looks, write_looks
from models.measures import additivity_ratio, firing_units, loss, pull, r2_adding, r2_averaging
from models.network import Network
from models.resampling import halve
from models.tasks.base import Task
from models.tasks.counting import tiles

MOST_IMAGES = 128
LOOKS, FEWEST = 40, 10  # in a run, where time allows; in any run
SHARE = 0.03  # of the training time that looks beyond the fewest may take


class Watch:
    """Looks at a task now and then, and keeps what it saw in `folder`."""

    def __init__(self, task: Task, card: Card, held_out: Sequence[Tensor], rows: Sequence[int], folder: Path) -> None:
        """`held_out` are regions (3, s, s) uint8 of the gallery's `rows`."""
        self.task, self.card, self.folder = task, card, folder
        every = -(-len(held_out) // MOST_IMAGES)  # rows are in the order of the gallery, often by class
        self.images = list(held_out[::every])
        crops = [centre(square, card.preprocess.crop) for square in self.images]
        self.shown = int(np.argmax([float(crop.float().std()) for crop in crops]))  # the one with most contrast
        self.crop = crops[self.shown]
        self.seen = read_looks(folder) or Looks(rows[self.shown * every], len(self.images))
        self.began, self.spent = time.monotonic(), 0.0

    def due(self, step: int, steps: int) -> bool:
        """Whether it is time: at the start, the end, every tenth of the way, and in between where that costs little."""
        if not self.seen.looks or step == steps:
            return not self.seen.looks or self.seen.looks[-1].step < step
        last = self.seen.looks[-1].step
        if step * FEWEST // steps > last * FEWEST // steps:
            return True
        cheap = self.spent <= SHARE * (time.monotonic() - self.began)
        return cheap and step * LOOKS // steps > last * LOOKS // steps

    def look(self, step: int) -> dict[str, float]:
        """The measures of now, on at most 128 images with the area kernel and in colour; kept with those before."""
        began = time.monotonic()
        self.task.eval()
        device = str(next(self.task.parameters()).device)
        network = Network(self.card, self.task.encoder, self.task.head, device, torch.float32)
        measures = _measures(network, self.images)
        equation = count_crops(network, self.crop[None])
        self.task.train()
        totals = torch.cat([equation.whole[:, None], equation.tiles], dim=1)[0].sum(dim=1)  # (1, 5, K) -> (5,)
        look = Look(step, measures, tuple(float(total) for total in totals))
        if not self.seen.looks:
            self._draw()
        self.seen = replace(self.seen, looks=(*self.seen.looks, look))
        write_looks(self.folder, self.seen)
        self.spent += time.monotonic() - began
        return measures

    def _draw(self) -> None:
        """The five views as pictures, before they are normalised."""
        pixels = self.crop[None].float() / 255
        views = torch.cat([halve(pixels, "area")[:, None], tiles(pixels)], dim=1)[0]  # (1, 5, 3, s, s) -> (5, 3, s, s)
        for name, view in zip(VIEWS, views, strict=True):
            buffer = io.BytesIO()
            Image.fromarray((view.permute(1, 2, 0) * 255).round().byte().numpy()).save(buffer, "PNG")
            write_bytes(picture_path(self.folder, name), buffer.getvalue())


def _measures(network: Network, images: Sequence[Tensor]) -> dict[str, float]:
    """What is defined of models.looks.MEASURES; the loss is the paper's whatever the run minimises."""
    both = sides(network, images)
    held_out, apart = loss(both), pull(both)
    assert held_out is not None and apart is not None
    filters = network.encoder.get_submodule(network.card.first_layer.name).weight
    assert isinstance(filters, Tensor)
    found = {
        "held_out_loss": held_out,
        "held_out_pull": apart,
        "held_out_push": held_out - apart,
        "additivity_ratio": additivity_ratio(both),
        "r2_adding": r2_adding(both),
        "r2_averaging": r2_averaging(both),
        "firing_units": firing_units(both),
        "conv1_tv_ratio": filter_measures(filters.detach().float().cpu().numpy()).medians()["tv_ratio"],
    }
    return {name: value for name, value in found.items() if value is not None}
