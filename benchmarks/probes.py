"""A probe of five layers against a bare loop that does the same work and stores nothing.

    python -m benchmarks.probes [FOLDER] [--images 400] [--steps 60] [--cpu]

With --cpu both are timed in CPU seconds on one thread, for machines that are busy with other work.

The bare loop decodes each image, shows the crop to the network, keeps the pooled maps in memory as one tensor a layer,
and trains a normalised linear classifier on each with torch's own optimiser. The probe reads from a pack, stores
features on disk, hashes the network, and also classifies by neighbours. Both use the same images, crops, batches and
number of steps.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.photos import photos
from models.card import Card, Preprocess
from models.encoders import layers
from models.encoders.alexnet import AlexNet
from models.galleries.images import store_image
from models.galleries.loading import decode_rows
from models.galleries.packs import Pack, PackRow, write_manifest, write_shard
from models.network import Network
from models.probes.bench import ProbeBench, ProbeReports, measure
from models.probes.feature_sources import NetworkFeatures, probe_crops, random_twin
from models.probes.protocol import MOMENTUM, WEIGHT_DECAY, Protocol, cells

NAMES = ("conv1", "conv2", "conv3", "conv4", "conv5")


def pack_of(folder: Path, paths: list[Path]) -> Pack:
    """A pack of the photos with two made-up classes; the last quarter is the test split."""
    rows = []
    for place, path in enumerate(paths):
        image = store_image(path.read_bytes())
        known = PackRow(
            path=path.name,
            label="one" if place % 2 else "two",
            split="test" if place >= 3 * len(paths) // 4 else "train",
            counts=None,
            source=None,
            width=image.width,
            height=image.height,
            jpeg_width=image.jpeg_width,
            jpeg_height=image.jpeg_height,
            sha256=image.sha256,
        )
        rows.append((known, image))
    write_manifest(folder, [write_shard(folder, 0, rows)])
    return Pack.open(folder)


def network() -> Network:
    """AlexNet with random weights, with the paper's input sizes."""
    how = Preprocess(crop=224, region=256, size=112, trunk_size=None, normalise="per_crop")
    card = Card("alexnet", "alexnet", {}, None, None, None, {}, layers(AlexNet()), how, "", "fp32")
    return random_twin(card, 0, "cpu")


def bare(bench: ProbeBench, net: Network, clock: Callable[[], float]) -> tuple[float, float]:
    """Seconds to compute the features of all images once, and to train the classifiers of one seed."""
    began = clock()
    kept: dict[str, list[torch.Tensor]] = {name: [] for name in NAMES}
    every = [*bench.rows.train.tolist(), *bench.rows.test.tolist()]
    images = [(row, image) for row, image in decode_rows(bench.pack, every)]
    for start in range(0, len(images), 64):
        rows, part = zip(*images[start : start + 64], strict=True)
        with torch.inference_mode(), net.hooks(NAMES) as seen:
            net.run_trunk(net.trunk_input(probe_crops(part, rows, 0, bench.side).squares))
            for name, maps in seen.items():
                kept[name].append(F.adaptive_avg_pool2d(maps, cells(maps.shape[1], maps.shape[2])).clone())
    found = {name: torch.cat(parts)[: len(bench.rows.train)].clone() for name, parts in kept.items()}
    looked, began = clock() - began, clock()
    heads = nn.ModuleDict(
        {
            name: nn.Sequential(nn.BatchNorm2d(maps.shape[1], affine=False), nn.Flatten(), nn.LazyLinear(2))
            for name, maps in found.items()
        }
    )
    for name, maps in found.items():
        heads[name](maps[:2])
    optimiser = torch.optim.SGD(heads.parameters(), lr=0.01, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    labels = torch.from_numpy(bench.rows.train_present.argmax(axis=1))
    for _ in range(bench.protocol.steps):
        chosen = torch.randperm(len(labels))[: bench.protocol.batch]
        loss = torch.stack(
            [F.cross_entropy(heads[name](maps[chosen]), labels[chosen]) for name, maps in found.items()]
        ).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return looked, clock() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args()
    clock = time.process_time if options.cpu else time.perf_counter
    if options.cpu:
        torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        pack = pack_of(place / "pack", photos(options.folder, options.images, place / "photos"))
        marks: list[tuple[str, float]] = []
        reports = ProbeReports(lambda message: marks.append((message, clock())), lambda *_: None)
        protocol = Protocol(views=1, steps=options.steps)
        paths = {"place": place / "out", "state": place / "state"}
        bench = ProbeBench.open(pack, "bench", protocol, device="cpu", reports=reports, **paths)
        net = network()
        looked, trained = bare(bench, net, clock)
        measure(bench, NetworkFeatures(net, NAMES), "row", "probe")
        end = clock()
        looks = marks[1][1] - marks[0][1]
        seeds = (end - marks[1][1]) / len(protocol.seeds)
        images, steps = len(bench.rows.train) + len(bench.rows.test), options.steps
        print(f"{images} images at {bench.side} px, {steps} steps of {min(protocol.batch, len(bench.rows.train))}")
        print(f"looking: bare {images / looked:.1f}, probe {images / looks:.1f} images/s: ratio {looked / looks:.2f}")
        print(f"a seed: bare {steps / trained:.1f}, probe {steps / seeds:.1f} steps/s: ratio {trained / seeds:.2f}")
        whole = looked + trained * len(protocol.seeds)
        print(f"all of it, {len(protocol.seeds)} seeds: ratio {whole / (end - marks[0][1]):.2f}")


if __name__ == "__main__":
    main()
