"""Scan and counting training on one device, from pixels that are resident there, each against its bare loop.

    python -m benchmarks.device [--device cuda] [--images 4096] [--steps 60] [--batch-size 256]

The bare scan is the forward pass alone, in the same precision; ours keeps the top 100 images with positions, statistics
and embeddings of all conv layers. The device's name is printed with the figures.
"""

import argparse
import platform
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.scan import make_checkpoint
from benchmarks.training import bare, ours, wait
from models.batches import ResidentRegions, generator
from models.network import resolve_precision
from models.recipes import build_config
from models.scanning import BATCH, Eyes, Plan, ShardPass


def forward_only(eyes: Eyes, squares: Tensor, batch: int, device: str) -> float:
    """Images per second of the encoder alone."""
    wait(device)
    started = time.perf_counter()
    for start in range(0, len(squares), batch):
        eyes.trunk.run_trunk(eyes.trunk.trunk_input(squares[start : start + batch]))
    wait(device)
    return len(squares) / (time.perf_counter() - started)


def scan_resident(eyes: Eyes, squares: Tensor, batch: int, device: str) -> float:
    """Images per second of one shard's pass, to its merged tables."""
    wait(device)
    started = time.perf_counter()
    current = ShardPass(eyes, range(len(squares)), top=100)
    for start in range(0, len(squares), batch):
        part = squares[start : start + batch]
        current.look(range(start, start + len(part)), part)
    current.result()
    wait(device)
    return len(squares) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=256)
    options = parser.parse_args()
    device: str = options.device
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else f"{platform.machine()} CPU"
    precision = resolve_precision("auto", device)
    batch = BATCH[torch.device(device).type]
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = make_checkpoint(Path(folder) / "checkpoint")
        eyes = Eyes.open(checkpoint, Plan("benchmark", "benchmark"), device=device)
        shape = (options.images, 3, 224, 224)
        squares = torch.randint(0, 256, shape, generator=generator(1), dtype=torch.uint8).to(device)
        forward_only(eyes, squares[: 2 * batch], batch, device)  # warm
        plain, scan = forward_only(eyes, squares, batch, device), scan_resident(eyes, squares, batch, device)
    print(f"{name}, {precision}: forward {plain:8.0f} images/s   scan {scan:8.0f} images/s   ratio {scan / plain:.2f}")
    config = build_config("counting", "small", {"batch_size": options.batch_size})
    pixels = torch.randint(0, 256, (4 * config.batch_size, 3, config.region, config.region), dtype=torch.uint8)
    regions = ResidentRegions(pixels.to(device), torch.full((len(pixels),), config.region))
    loop = bare(config, regions, device, precision, options.steps)
    fit = ours(config, regions, device, precision, options.steps)
    print(f"{name}, {precision}: loop    {loop:8.0f} images/s   fit  {fit:8.0f} images/s   ratio {fit / loop:.2f}")


if __name__ == "__main__":
    main()
