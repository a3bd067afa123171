"""The speed of a task's training step against a bare forward and backward loop on tensors already in memory.

    python -m benchmarks.training [--task all] [--recipe small] [--steps 12] [--repeats 3] [--device cuda]
                                  [--batch-size 64] [--set network=vgg16 ...]

The bare loop runs the same network, loss and optimiser on views that were made once; ours draws crops, makes views and
reports its loss terms. An image counts once although the network may see it several times. The two take turns in one
process. Beside the ratio by the clock stands that of the CPU time, which other work on the machine disturbs less.
Neither includes what a task does before an epoch (DeepCluster's clustering).
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.network import resolve_precision
from models.recipes import RECIPES, build_config
from models.recipes.base import ImageConfig, types
from models.seeds import generator
from models.tasks import TASKS
from models.tasks.base import Task, Views
from models.training.batches import Batches, ResidentRegions
from models.training.loop import FitConfig, autocast, fit

ENDLESS = 1_000_000_000  # steps
WARM = 5  # steps in which a GPU's libraries choose their kernels
CLASSES = 10  # of made-up labels
# Settings that a task needs and that have no default.
NEEDED: dict[str, dict[str, Any]] = {"cluster_classification": {"clustering": "drawn at random"}}


@dataclass(frozen=True)
class Rate:
    """Images per second by the clock, and per second of CPU time over all threads."""

    clock: float
    cpu: float


def network(config: ImageConfig, name: str, device: str) -> Task:
    return TASKS[name].build(config, generator(0)).to(device).to(memory_format=torch.channels_last).train()


def wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


class Stopwatch:
    """Measures the speed from the moment it is made."""

    def __init__(self, device: str) -> None:
        wait(device)
        self.device, self.clock, self.cpu = device, time.perf_counter(), time.process_time()

    def rate(self, images: int) -> Rate:
        wait(self.device)
        clock, cpu = time.perf_counter() - self.clock, time.process_time() - self.cpu
        return Rate(images / clock, images / max(cpu, 1e-9))


def labels(config: ImageConfig, count: int) -> Tensor | None:
    """Classes drawn at random; None for tasks that need no labels."""
    classes = getattr(config, "clusters", CLASSES)
    return None if config.labels == "none" else torch.randint(classes, (count,), generator=generator(4))


def bare(
    config: ImageConfig, regions: ResidentRegions, device: str, precision: str, steps: int, name: str = "counting"
) -> Rate:
    """The speed of a loop without data loading, reports or saved state."""
    task = network(config, name, device)
    optimiser = FitConfig.of(config, seed=0, precision=precision).make([{"params": list(task.parameters())}])
    zeros = torch.zeros(config.batch_size, dtype=torch.long)
    crops = regions.crops(torch.arange(config.batch_size), zeros, zeros, config.drawn)
    targets = labels(config, config.batch_size)
    views = task.views(crops, generator(1), None if targets is None else targets.to(device))

    for _ in range(WARM if device.startswith("cuda") else 1):
        _step(task, views, optimiser, precision)
    watch = Stopwatch(device)
    for _ in range(steps):
        _step(task, views, optimiser, precision)
    return watch.rate(steps * config.batch_size)


def _step(task: Task, views: Views, optimiser: torch.optim.Optimizer, precision: str) -> None:
    with autocast(views.inputs.device, precision):
        outputs = task(views.inputs)
    optimiser.zero_grad(set_to_none=True)
    task.training_step(views, outputs.float())
    optimiser.step()


def ours(
    config: ImageConfig, regions: ResidentRegions, device: str, precision: str, steps: int, name: str = "counting"
) -> Rate:
    """The speed of `fit` from its second report on, reports included; saving the state is not part of it."""
    targets = None if config.labels == "own" else labels(config, len(regions.extents))
    batches = Batches(regions, crop=config.drawn, batch_size=config.batch_size, seed=0, targets=targets)
    how = FitConfig(steps=ENDLESS, lr=1e-4, precision=precision, seed=0, report_seconds=1.0, save_seconds=1e9)
    task = network(config, name, device)
    with tempfile.TemporaryDirectory() as folder:
        watch, at = None, 0
        for reports, progress in enumerate(fit(task, batches, how, Path(folder))):
            if reports == 0:  # the state is saved after it
                continue
            if watch is None:
                watch, at = Stopwatch(device), progress.step
            elif progress.step - at >= steps:  # reports come once a second, so it may be many more
                return watch.rate((progress.step - at) * config.batch_size)
    raise AssertionError("the run has no end")


def compared(name: str, config: ImageConfig, options: argparse.Namespace) -> tuple[Rate, float, float]:
    """The bare loop's median rate, and the median ratios by the clock and by CPU time."""
    precision = resolve_precision(options.precision, options.device)
    epoch = 4 * options.steps + 100  # steps; so many that no epoch begins during the measurement
    side, count = config.region, config.batch_size * (epoch if config.labels == "own" else 4)
    pixels = torch.randint(0, 256, (count, 3, side, side), generator=generator(2), dtype=torch.uint8)
    regions = ResidentRegions(pixels.to(options.device), torch.full((len(pixels),), side))
    loops, clock, cpu = [], [], []
    for _ in range(options.repeats):
        loop = bare(config, regions, options.device, precision, options.steps, name)
        step = ours(config, regions, options.device, precision, options.steps, name)
        loops.append(loop)
        clock.append(step.clock / loop.clock)
        cpu.append(step.cpu / loop.cpu)
    middle = sorted(loops, key=lambda rate: rate.clock)[len(loops) // 2]
    return middle, statistics.median(clock), statistics.median(cpu)


def settings(name: str, options: argparse.Namespace) -> ImageConfig:
    """The recipe of a task with the command line's settings; classes are made up where a gallery would give them."""
    kinds = types(type(RECIPES[name]["paper"]))
    given = dict(pair.split("=", 1) for pair in options.set)
    own = {key: kinds[key](value) if kinds[key] in (int, float) else value for key, value in given.items()}
    size = {"batch_size": options.batch_size} if options.batch_size else {}
    config = build_config(name, options.recipe, {**NEEDED.get(name, {}), **size, **own})
    return config.for_classes(CLASSES) if config.labels in ("gallery", "clusters") else config


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="counting", choices=("all", *TASKS))
    parser.add_argument("--recipe", default="small")
    parser.add_argument("--set", action="append", default=[], help="another setting: network=vgg16")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args(arguments)
    print("| task | batch | bare loop, images/s | ratio | ratio of CPU time |")
    print("|---|---|---|---|---|")
    for name in TASKS if options.task == "all" else [options.task]:
        config = settings(name, options)
        loop, clock, cpu = compared(name, config, options)
        print(f"| {name} | {config.batch_size} | {loop.clock:.1f} | {clock:.2f} | {cpu:.2f} |", flush=True)


if __name__ == "__main__":
    main()
