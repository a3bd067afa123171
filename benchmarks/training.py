"""Training step of any task against a bare forward and backward loop on tensors already in memory.

    python -m benchmarks.training [--task all] [--recipe small] [--steps 12] [--repeats 3] [--device cuda]
                                  [--batch-size 64] [--set network=vgg16 ...]

The bare loop runs the same network, loss and optimiser on views made once; ours draws crops, makes views, and counts
its loss terms. An image counts once although the network may see it several times. The two take turns in one process;
beside the ratio of the clock stands that of the CPU time, which other work on the machine disturbs less. What a task
does before an epoch (DeepCluster's clustering) is part of neither.
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

ENDLESS = 1_000_000_000
WARM = 5  # steps in which a GPU's libraries choose their kernels
CLASSES = 10
NEEDED: dict[str, dict[str, Any]] = {"cluster_classification": {"clustering": "drawn at random"}}


@dataclass(frozen=True)
class Rate:
    """Images per second of the clock, and per second of CPU time over all threads."""

    clock: float
    cpu: float


def network(config: ImageConfig, name: str, device: str) -> Task:
    return TASKS[name].build(config, generator(0)).to(device).to(memory_format=torch.channels_last).train()


def wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


class Stopwatch:
    """Counts images from its start."""

    def __init__(self, device: str) -> None:
        wait(device)
        self.device, self.clock, self.cpu = device, time.perf_counter(), time.process_time()

    def rate(self, images: int) -> Rate:
        wait(self.device)
        clock, cpu = time.perf_counter() - self.clock, time.process_time() - self.cpu
        return Rate(images / clock, images / max(cpu, 1e-9))


def labels(config: ImageConfig, count: int) -> Tensor | None:
    """Classes drawn at random for tasks that learn some."""
    classes = getattr(config, "clusters", CLASSES)
    return None if config.labels == "none" else torch.randint(classes, (count,), generator=generator(4))


def bare(
    config: ImageConfig, regions: ResidentRegions, device: str, precision: str, steps: int, name: str = "counting"
) -> Rate:
    """The loop without data, reports or state."""
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
    """`fit` after its first reports, the others included; saving the state is not part of either."""
    targets = None if config.labels == "own" else labels(config, len(regions.extents))
    batches = Batches(regions, crop=config.drawn, batch_size=config.batch_size, seed=0, targets=targets)
    how = FitConfig(steps=ENDLESS, lr=1e-4, precision=precision, seed=0, report_seconds=1.0, save_seconds=1e9)
    task = network(config, name, device)
    with tempfile.TemporaryDirectory() as folder:
        watch, at = None, 0
        for reports, progress in enumerate(fit(task, batches, how, Path(folder))):
            if reports == 0:  # after which the state is saved
                continue
            if watch is None:
                watch, at = Stopwatch(device), progress.step
            elif progress.step - at >= steps:  # told once a second: a fast device has done many more by then
                return watch.rate((progress.step - at) * config.batch_size)
    raise AssertionError("the run has no end")


def compared(name: str, config: ImageConfig, options: argparse.Namespace) -> tuple[Rate, float, float]:
    """The bare loop's median rate, and the median ratios of clock and CPU time."""
    precision = resolve_precision(options.precision, options.device)
    epoch = 4 * options.steps + 100  # so that none begins while it is measured, with two reports before
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
    """The recipe of a task with what the command line sets, classes filled in where a gallery would tell them."""
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
