"""Make one puzzle of a task from an image, and let a network answer it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.crops import centre, region
from models.galleries.loading import decode
from models.puzzles import Pose, Posed
from models.recipes import RECIPES
from models.seeds import generator
from models.tasks import TASKS
from models.tasks.base import Task

RECIPE = "small"  # of puzzles that no checkpoint poses: it suits the sizes in which galleries keep photos


def unanswered(name: str, names: tuple[str, ...]) -> Task:
    """A task that can make puzzles but has no trained network to answer them."""
    config = RECIPES[name][RECIPE].for_classes(max(2, len(names)))
    task = TASKS[name].build(config, generator(0))
    return task.eval()


@torch.inference_mode()
def pose(task: Task, jpegs: Sequence[bytes], how: Pose, *, answered: bool) -> Posed:
    """The puzzle of the first image (the others may lend pieces) and, where asked for, the network's answer."""
    task.names = task.names or how.names
    device = next(task.parameters()).device
    crops = torch.stack([_crop(task, jpeg) for jpeg in jpegs]).to(device)
    target = None
    if how.label in task.names:
        target = torch.full((len(crops),), task.names.index(how.label), device=device)
    views = task.views(crops, generator(how.seed, 7), target)
    puzzle = task.puzzle(views, how.which)
    answer = task.answer(task(views.inputs).float(), views, how.which) if answered else None
    return Posed(puzzle, answer)


def _crop(task: Task, jpeg: bytes) -> Tensor:
    """The middle crop of an image as held-out images give it; a smaller image is enlarged before any view is made."""
    how = task.preprocess()
    image = decode(jpeg)
    side = min(image.shape[1:])
    least = how.region if task.config.enlarges else max(how.crop, min(side, how.region))
    return centre(region(image, least, enlarge=True), how.crop)
