"""Training step of counting against a bare forward and backward loop on tensors already in memory.

    python -m benchmarks.training [--recipe small] [--steps 12] [--repeats 3] [--device cuda] [--batch-size 64]

The bare loop runs the same network, loss and optimiser on views made once; ours draws crops, makes views, and counts
its loss terms. An image counts once although the network sees it five times.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from models.network import resolve_precision
from models.recipes import build_config
from models.recipes.counting import CountingConfig
from models.tasks.counting import Counting
from models.training.batches import Batches, ResidentRegions, generator
from models.training.loop import FitConfig, autocast, fit

ENDLESS = 1_000_000_000
WARM = 5  # steps in which a GPU's libraries choose their kernels


def network(config: CountingConfig, device: str) -> Counting:
    return Counting.build(config, generator(0)).to(device).to(memory_format=torch.channels_last)


def wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def bare(config: CountingConfig, regions: ResidentRegions, device: str, precision: str, steps: int) -> float:
    """Images per second of the loop without data, reports or state."""
    task = network(config, device)
    optimiser = torch.optim.Adam(task.parameters(), lr=1e-4, fused=True)
    zeros = torch.zeros(config.batch_size, dtype=torch.long)
    crops = regions.crops(torch.arange(config.batch_size), zeros, zeros, config.crop)
    views = task.views(crops, generator(1)).inputs

    def step() -> None:
        with autocast(torch.device(device), precision):
            counts = task(views)
        terms = task.loss(counts.float(), None)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        optimiser.step()

    for _ in range(WARM if device.startswith("cuda") else 1):
        step()
    wait(device)
    started = time.perf_counter()
    for _ in range(steps):
        step()
    wait(device)
    return steps * config.batch_size / (time.perf_counter() - started)


def ours(config: CountingConfig, regions: ResidentRegions, device: str, precision: str, steps: int) -> float:
    """Images per second of `fit` after its first step, reports included; saving the state is not part of either."""
    batches = Batches(regions, crop=config.crop, batch_size=config.batch_size, seed=0)
    how = FitConfig(steps=ENDLESS, lr=1e-4, precision=precision, seed=0, report_seconds=1.0, save_seconds=1e9)
    task = network(config, device)
    with tempfile.TemporaryDirectory() as folder:
        started, at = 0.0, 0
        for progress in fit(task, batches, how, Path(folder)):
            if not started:
                wait(device)
                started, at = time.perf_counter(), progress.step
            elif progress.step - at >= steps:  # told once a second: a fast device has done many more by then
                wait(device)
                return (progress.step - at) * config.batch_size / (time.perf_counter() - started)
    raise AssertionError("the run has no end")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="small")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    config = build_config("counting", options.recipe, {"batch_size": options.batch_size} if options.batch_size else {})
    precision = resolve_precision(options.precision, options.device)
    side = config.region
    pixels = torch.randint(0, 256, (4 * config.batch_size, 3, side, side), generator=generator(2), dtype=torch.uint8)
    regions = ResidentRegions(pixels.to(options.device), torch.full((len(pixels),), side))
    ratios = []
    for _ in range(options.repeats):
        loop = bare(config, regions, options.device, precision, options.steps)
        step = ours(config, regions, options.device, precision, options.steps)
        ratios.append(step / loop)
        print(f"bare loop {loop:8.1f} images/s   fit {step:8.1f} images/s   ratio {ratios[-1]:.2f}")
    print(f"median ratio {statistics.median(ratios):.2f}, recipe {options.recipe}, {precision}, {options.device}")


if __name__ == "__main__":
    main()
