"""The speed of a scan against the script that a competent user would write.

    python -m benchmarks.scan [--folder PHOTOS] [--images 600] [--repeats 3] [--device cuda]

Both read the same photos, run AlexNet in torchvision's geometry at 224 px, and keep the top 100 images of every
convolutional unit with their positions, and the pooled embeddings of all five layers. The baseline decodes files in a
DataLoader as ImageFolder does, with forward hooks and topk in fp32; ours reads a pack. Neither computes the residual of
the counting equation, nor which part of its receptive field matters to a unit: that takes as long for few images as for
many.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms

from benchmarks.photos import photos
from models.card import Card, Preprocess, write_card
from models.checkpoints import storage as checkpoints
from models.checkpoints.scan_networks import open_for_scan
from models.encoders import ENCODERS, layers
from models.encoders.initialisation import he
from models.galleries.images import store_image
from models.galleries.packs import SHARD_ROWS, Pack, PackRow, write_manifest, write_shard
from models.scans.plans import ScanPlan
from models.scans.scanning import scan
from models.seeds import generator

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NAMES = [f"relu{i}" for i in range(1, 6)]


class Photos(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """The dataset of a user's script: the original files, resized and cropped in the workers."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files
        self.transform = transforms.Compose(
            [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.open(self.files[index]).convert("RGB")), index


def baseline(files: list[Path], device: str) -> float:
    """Images per second of the user's script."""
    network = ENCODERS["alexnet-torchvision"]().eval().to(device)
    seen: dict[str, Tensor] = {}
    for name in NAMES:
        network.get_submodule(name).register_forward_hook(lambda _m, _a, out, name=name: seen.__setitem__(name, out))
    best: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
    embeddings: dict[str, list[Tensor]] = {name: [] for name in NAMES}
    started = time.perf_counter()
    with torch.no_grad():
        for images, rows in torch.utils.data.DataLoader(Photos(files), batch_size=64, num_workers=2):
            network(images.to(device))
            for name in NAMES:
                values, places = seen[name].flatten(2).max(2)
                embeddings[name].append(seen[name].mean((2, 3)).cpu())
                index = rows.to(device)[:, None].expand_as(values)
                if name in best:
                    values, index, places = (
                        torch.cat([old, new]) for old, new in zip(best[name], (values, index, places), strict=True)
                    )
                top, order = values.topk(min(100, len(values)), dim=0)
                best[name] = (top, index.gather(0, order), places.gather(0, order))
    return len(files) / (time.perf_counter() - started)


def make_pack(files: list[Path], folder: Path, *, rows: int | None = None) -> Pack:
    """A pack of these photos, repeated until it has `rows` rows; without `rows` each is in it once."""
    stored_rows = []
    for path in files:
        image = store_image(path.read_bytes())
        size = {"width": image.width, "height": image.height, "sha256": image.sha256}
        stored = {"jpeg_width": image.jpeg_width, "jpeg_height": image.jpeg_height}
        stored_rows.append(
            (PackRow(path=path.name, label=None, split=None, counts=None, source=None, **size, **stored), image)
        )
    all_rows = list(islice(cycle(stored_rows), rows or len(files)))
    parts = [all_rows[start : start + SHARD_ROWS] for start in range(0, len(all_rows), SHARD_ROWS)]
    write_manifest(folder, [write_shard(folder, index, part) for index, part in enumerate(parts)])
    return Pack.open(folder)


def make_checkpoint(folder: Path) -> Path:
    """An untrained AlexNet in torchvision's geometry; the speed does not depend on the weights."""
    folder.mkdir()
    encoder = ENCODERS["alexnet-torchvision"]()
    he(encoder, generator(0))
    how = Preprocess(224, 256, 224, 224, "mean_std", MEAN, STD)
    card = Card("benchmark", "alexnet-torchvision", {}, None, None, None, {}, layers(encoder), how, "", "fp32")
    sha256 = checkpoints.save_weights(folder, encoder, None, dtype="fp32")
    write_card(folder, Card(**{**vars(card), "weights_sha256": sha256}))
    return folder


def ours(pack: Pack, checkpoint: Path, folder: Path, device: str) -> tuple[float, str]:
    """Images per second of a scan, and the precision it chose."""
    shutil.rmtree(folder, ignore_errors=True)
    started = time.perf_counter()
    plan = ScanPlan("benchmark", "benchmark", regions=False)
    networks = open_for_scan(checkpoint, plan, device=device)
    info = scan(pack, networks, folder, plan, tick=lambda _done: None)
    return len(pack) / (time.perf_counter() - started), info.precision


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        files = photos(options.folder, options.images, scratch / "photos")
        pack, checkpoint = make_pack(files, scratch / "pack"), make_checkpoint(scratch / "checkpoint")
        ratios = []
        for _ in range(options.repeats):
            naive = baseline(files, options.device)
            fast, precision = ours(pack, checkpoint, scratch / "scan", options.device)
            ratios.append(fast / naive)
            print(f"script {naive:7.1f} images/s   scan {fast:7.1f} images/s ({precision})   ratio {ratios[-1]:.2f}")
        print(f"median ratio {statistics.median(ratios):.2f} over {len(files)} images, {options.repeats} repeats")


if __name__ == "__main__":
    main()
