"""Counting training and scans on one device, each against its bare loop; prints the device's name with the figures.

    python -m benchmarks.device [--device cuda] [--batch-sizes 256 1024] [--steps 60] [--images 8192]

Training: the recipe `small` on pixels that are in the device's memory, five passes of the network an image, against
forward, backward and optimiser on views that were made beforehand. Scans: from the pack to the files on disk, once
while the JPEGs are decoded and once from images that stayed on the device, against the forward pass alone; all layers
of AlexNet at 224 px and of `small` at 160 px, the latter without and with the counting equation (five more passes, in
fp32). The search for the part of the receptive field that matters to each unit is not measured: it takes as long for
few images as for many.
"""

import argparse
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

import torch

from benchmarks.photos import photos
from benchmarks.scan import make_checkpoint, make_pack
from benchmarks.training import bare, ours, wait
from models.card import write_card
from models.checkpoints import storage as checkpoints
from models.checkpoints.scan_networks import open_for_scan
from models.galleries.packs import Pack
from models.network import exact_fp32, resolve_precision
from models.recipes import build_config
from models.scans.images import ScanImages
from models.scans.networks import ScanNetworks
from models.scans.plans import ScanPlan
from models.scans.scanning import BATCH, scan
from models.seeds import generator
from models.tasks.counting import Counting
from models.training.batches import ResidentRegions

DISTINCT = 512  # photos; the pack repeats them


def make_small(folder: Path) -> Path:
    """An untrained checkpoint of the recipe `small`."""
    folder.mkdir()
    config = build_config("counting", "small", {})
    task = Counting.build(config, generator(0))
    card = checkpoints.describe(task, name="small", recipe="small", config=asdict(config))
    sha256 = checkpoints.save_weights(folder, task.encoder, task.head)
    write_card(folder, replace(card, weights_sha256=sha256, dtype="fp16"))
    return folder


def forward_only(networks: ScanNetworks, images: ScanImages, device: str) -> float:
    """Images per second of the encoder alone on squares that are in memory and all of one size."""
    batch = BATCH.get(networks.trunk.device.type, BATCH["cpu"])
    shown = iter(images.rows(range(len(images.pack))))
    batches = list(_stacks(shown, batch))
    networks.trunk.run_trunk(networks.trunk.trunk_input(batches[0]))  # warm
    wait(device)
    started = time.perf_counter()
    for squares in batches:
        networks.trunk.run_trunk(networks.trunk.trunk_input(squares))
    wait(device)
    return len(images.pack) / (time.perf_counter() - started)


def _stacks(shown: Iterator[tuple[int, object]], batch: int) -> Iterator[torch.Tensor]:
    while part := list(islice(shown, batch)):
        yield torch.stack([image.square for _, image in part])  # type: ignore[attr-defined]


def measure_scan(pack: Pack, checkpoint: Path, scratch: Path, device: str, *, residual: bool) -> None:
    """Prints the speed of a scan while it decodes and from images in memory, and that of the forward pass alone."""
    plan = ScanPlan(checkpoint.name, "benchmark", residual=residual, regions=False)
    networks = open_for_scan(checkpoint, plan, device=device)
    images, rates = networks.images(pack, resident=True), []
    for _ in range(2):
        shutil.rmtree(scratch, ignore_errors=True)
        started = time.perf_counter()
        scan(pack, networks, scratch, plan, tick=lambda _done: None, images=images)
        wait(device)
        rates.append(len(pack) / (time.perf_counter() - started))
    plain, units = (
        forward_only(networks, images, device),
        sum(layer.units for layer in (*networks.conv, *networks.vector)),
    )
    name = f"{checkpoint.name}, {units} units{', with the equation' if residual else ''}"
    print(
        f"scan     {name:38} decoding {rates[0]:8.0f} images/s   resident {rates[1]:8.0f} images/s   "
        f"forward {plain:8.0f} images/s   ratio {rates[1] / plain:.2f}",
        flush=True,
    )


def measure_training(batch_size: int, steps: int, device: str, precision: str) -> None:
    config = build_config("counting", "small", {"batch_size": batch_size})
    shape = (4 * batch_size, 3, config.region, config.region)
    pixels = torch.randint(0, 256, shape, generator=generator(2), dtype=torch.uint8)
    regions = ResidentRegions(pixels.to(device), torch.full((len(pixels),), config.region))
    loop = bare(config, regions, device, precision, steps).clock
    fit = ours(config, regions, device, precision, steps).clock
    name = f"small, batches of {batch_size}"
    print(
        f"training {name:38} loop {loop:8.0f} images/s   fit {fit:8.0f} images/s   ratio {fit / loop:.2f}", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--images", type=int, default=8192)
    options = parser.parse_args()
    device: str = options.device
    exact_fp32()  # as jobs do
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else f"{platform.machine()} CPU"
    precision = resolve_precision("auto", device)
    print(f"{name}, {precision}, torch {torch.__version__}", flush=True)
    for batch_size in options.batch_sizes:
        measure_training(batch_size, options.steps, device, precision)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        alexnet, small = make_checkpoint(scratch / "alexnet"), make_small(scratch / "small")
        for checkpoint, side in ((alexnet, 342), (small, 214)):  # shorter sides of 256 and 160 px
            files = photos(None, min(DISTINCT, options.images), scratch / str(side), side=side)
            pack = make_pack(files, scratch / f"pack-{side}", rows=options.images)
            for residual in (False, True) if checkpoint is small else (False,):
                measure_scan(pack, checkpoint, scratch / "scan", device, residual=residual)


if __name__ == "__main__":
    main()
