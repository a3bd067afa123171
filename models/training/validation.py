"""Held-out images are measured now and then while a network trains: is the task being solved, and what of one image?

Validating changes neither weights nor random numbers, so a run ends in the same weights however often it is done.
"""

import io
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.atomic import write_bytes
from models.card import Card
from models.crops import centre
from models.tasks.base import Task
from models.tasks.validation import HeldOut
from models.training.validation_log import (
    ValidationLog,
    ValidationPoint,
    picture_path,
    read_validation_log,
    write_validation_log,
)

MOST_IMAGES = 128
MOST_POINTS, LEAST_POINTS = 40, 10  # in a run, where time allows; in any run
SHARE = 0.03  # of the training time that validating more often than that may take


class Validator:
    """Measures a task on held-out images when that is due, and keeps the log in `folder`."""

    def __init__(self, task: Task, card: Card, images: HeldOut, rows: Sequence[int], folder: Path) -> None:
        """`images` are those of the gallery's `rows`; at most 128 of them are looked at."""
        self.task, self.card, self.folder = task, card, folder
        every = -(-len(images.regions) // MOST_IMAGES)  # rows are in the order of the gallery, often by class
        targets = None if images.targets is None else images.targets[::every]
        self.images = HeldOut(list(images.regions[::every]), targets, images.seed)
        crops = [centre(region, card.preprocess.crop) for region in self.images.regions]
        self.fixed = int(np.argmax([float(crop.float().std()) for crop in crops]))  # the one with most contrast
        self.log = read_validation_log(folder) or ValidationLog(rows[self.fixed * every], len(crops))
        self.began, self.spent = time.monotonic(), 0.0

    def due(self, step: int, steps: int) -> bool:
        """Whether it is time: at the start, the end, every tenth of the way, and in between where that costs little."""
        if not self.log.points or step == steps:
            return not self.log.points or self.log.points[-1].step < step
        last = self.log.points[-1].step
        if step * LEAST_POINTS // steps > last * LEAST_POINTS // steps:
            return True
        cheap = self.spent <= SHARE * (time.monotonic() - self.began)
        return cheap and step * MOST_POINTS // steps > last * MOST_POINTS // steps

    def validate(self, step: int) -> dict[str, float]:
        """The measures of now; kept with those before. The first time, the fixed image's views are kept as well."""
        began = time.monotonic()
        self.task.eval()
        found = self.task.watch(self.images, self.fixed, self.card)
        if not self.log.points:
            self._keep_views()
        self.task.train()
        chance = {f"held_out_{name}": value for name, value in self.task.chance().items()}
        point = ValidationPoint(step, found.measures, found.totals)
        self.log = replace(self.log, points=(*self.log.points, point), chance=chance)
        write_validation_log(self.folder, self.log)
        self.spent += time.monotonic() - began
        return dict(point.measures)

    def _keep_views(self) -> None:
        views = self.task.fixed_views(self.images, self.fixed, self.card)
        self.log = replace(self.log, question=views.question, captions=views.captions)
        for name, pixels in zip(views.names or self.log.pictures, views.pictures, strict=True):
            _write(picture_path(self.folder, name), pixels)


def _write(path: Path, pixels: NDArray[np.uint8]) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    write_bytes(path, buffer.getvalue())
