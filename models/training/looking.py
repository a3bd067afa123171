"""Looks at held-out images while a network trains: does it solve its task yet, and what does one fixed image give?

A look changes neither weights nor random numbers, so a run ends in the same weights however often it looks.
"""

import io
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.atomic import write_bytes
from models.card import Card
from models.counting.equation import count_crops, tiles
from models.counting.evaluation import sides
from models.counting.measures import additivity_ratio, firing_units, loss, pull, r2_adding, r2_averaging
from models.crops import centre
from models.filters.measures import measure as filter_measures
from models.network import Network
from models.resampling import halve
from models.seeds import generator
from models.tasks.base import Task
from models.training.looks import VIEWS, Look, Looks, picture_path, read_looks, write_looks
from models.training.pretext import held_out

MOST_IMAGES = 128
PARTNERS = 4  # images of a batch in which the fixed one is drawn: some puzzles take pieces of another
LOOKS, FEWEST = 40, 10  # in a run, where time allows; in any run
SHARE = 0.03  # of the training time that looks beyond the fewest may take


class Watch:
    """Looks at a task now and then, and keeps what it saw in `folder`."""

    def __init__(
        self,
        task: Task,
        card: Card,
        held_out: Sequence[Tensor],
        rows: Sequence[int],
        folder: Path,
        *,
        targets: Tensor | None = None,
        seed: int = 0,
    ) -> None:
        """`held_out` are regions (3, s, s) uint8 of the gallery's `rows`, with their targets where there are some."""
        self.task, self.card, self.folder, self.seed = task, card, folder, seed
        every = -(-len(held_out) // MOST_IMAGES)  # rows are in the order of the gallery, often by class
        self.images = list(held_out[::every])
        self.targets = None if targets is None else targets[::every]
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
        """The measures of now, on at most 128 images; kept with those before."""
        began = time.monotonic()
        self.task.eval()
        look = self._count(step) if self.card.has_counts else self._score(step)
        if not self.seen.looks:
            self._draw_counted() if self.card.has_counts else self._draw()
        self.task.train()
        chance = {f"held_out_{name}": value for name, value in self.task.chance().items()}
        self.seen = replace(self.seen, looks=(*self.seen.looks, look), chance=chance)
        write_looks(self.folder, self.seen)
        self.spent += time.monotonic() - began
        return dict(look.measures)

    def _count(self, step: int) -> Look:
        """What a counting network makes of the images, with the area kernel and in colour."""
        device = str(next(self.task.parameters()).device)
        network = Network(self.card, self.task.encoder, self.task.head, device, torch.float32)
        measures = _measures(network, self.images)
        equation = count_crops(network, self.crop[None])
        totals = torch.cat([equation.whole[:, None], equation.tiles], dim=1)[0].sum(dim=1)  # (1, 5, K) -> (5,)
        return Look(step, measures, tuple(float(total) for total in totals))

    def _score(self, step: int) -> Look:
        """What any other task says of its own measures."""
        values = held_out(self.task, self.images, self.targets, self.seed)
        measures = {
            f"held_out_{name}": float(np.nanmean(found)) for name, found in values.items() if not np.isnan(found).all()
        }
        filters = self.task.encoder.get_parameter(f"{self.card.first_layer.name}.weight")
        return Look(step, {**measures, "conv1_tv_ratio": _roughness(filters)})

    def _draw(self) -> None:
        """The fixed image's puzzle as pictures."""
        order = [self.shown, *(place for place in range(len(self.images)) if place != self.shown)][:PARTNERS]
        crops = torch.stack([centre(self.images[place], self.card.preprocess.crop) for place in order])
        targets = None if self.targets is None else self.targets[order]
        device = next(self.task.parameters()).device
        with torch.inference_mode():
            views = self.task.views(
                crops.to(device), generator(self.seed, 6), None if targets is None else targets.to(device)
            )
        puzzle = self.task.puzzle(views, 1)
        captions = tuple(item.caption for item in puzzle.shown)
        self.seen = replace(self.seen, question=puzzle.question, captions=captions)
        for name, item in zip(self.seen.pictures, puzzle.shown, strict=True):
            _write(picture_path(self.folder, name), item.pixels)

    def _draw_counted(self) -> None:
        """The five views as pictures, before they are normalised."""
        pixels = self.crop[None].float() / 255
        views = torch.cat([halve(pixels, "area")[:, None], tiles(pixels)], dim=1)[0]  # (1, 5, 3, s, s) -> (5, 3, s, s)
        for name, view in zip(VIEWS, views, strict=True):
            _write(picture_path(self.folder, name), (view.permute(1, 2, 0) * 255).round().byte().numpy())


def _write(path: Path, pixels: NDArray[np.uint8]) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    write_bytes(path, buffer.getvalue())


def _roughness(filters: Tensor) -> float:
    """The median total-variation ratio of filters (units, channels, h, w)."""
    return filter_measures(filters.detach().float().cpu().numpy()).medians()["tv_ratio"]


def _measures(network: Network, images: Sequence[Tensor]) -> dict[str, float]:
    """What is defined of models.training.looks.MEASURES; the loss is the paper's whatever the run minimises."""
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
        "conv1_tv_ratio": _roughness(filters),
    }
    return {name: value for name, value in found.items() if value is not None}
