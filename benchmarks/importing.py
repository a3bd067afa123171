"""The speed of an import against plain decoding, resizing and encoding on all cores.

    python -m benchmarks.importing [--folder PHOTOS] [--images 800] [--repeats 3]

The baseline does only the work that cannot be avoided, on the same photos, in as many threads as there are cores, and
stores nothing. Ours is the import job: it lists the folder, hashes, writes Arrow shards safely to disk and reports.
"""

import argparse
import io
import os
import shutil
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from app.jobs.context import JobContext
from app.jobs.kinds import import_images
from app.jobs.spec import JobSpec, Output
from benchmarks.photos import photos
from models.galleries.packs import Pack


def plain(path: Path) -> int:
    image = Image.open(path).convert("RGB")
    image.thumbnail((256 * 4 // 3, 256 * 4 // 3), Image.Resampling.LANCZOS)
    jpeg, thumb = io.BytesIO(), io.BytesIO()
    image.save(jpeg, "JPEG", quality=90)
    image.thumbnail((128, 128))
    image.save(thumb, "WEBP")
    return jpeg.tell() + thumb.tell()


def baseline(files: list[Path]) -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sum(pool.map(plain, files))
    return len(files) / (time.perf_counter() - started)


def ours(folder: Path, workspace: Path) -> float:
    """Images per second of the import job, from listing to the published pack."""
    shutil.rmtree(workspace, ignore_errors=True)
    place = workspace / "jobs" / "1"
    place.mkdir(parents=True)
    spec = {"name": "benchmark", "source": {"kind": "folder", "path": str(folder), "labels": "none"}}
    output = Output("gallery", "benchmark", "galleries/benchmark")
    JobSpec("1", "import", str(workspace), spec, {"source": str(folder)}, output).write(place)
    started = time.perf_counter()
    import_images.run(JobContext.open(place))
    seconds = time.perf_counter() - started
    with Pack.open(workspace / output.path) as pack:
        return len(pack) / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--images", type=int, default=800)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "photos"
        folder.mkdir()
        files = photos(options.folder, options.images, folder)
        if options.folder is not None:  # the job imports a folder: copy what was chosen of it
            files = [Path(shutil.copy(path, folder / f"{i:05d}{path.suffix}")) for i, path in enumerate(files)]
        ratios = []
        for _ in range(options.repeats):
            plainly = baseline(files)
            job = ours(folder, Path(name) / "workspace")
            ratios.append(job / plainly)
            print(f"plain {plainly:7.1f} images/s   import {job:7.1f} images/s   ratio {ratios[-1]:.2f}")
        print(f"median ratio {statistics.median(ratios):.2f} over {len(files)} images, {options.repeats} repeats")


if __name__ == "__main__":
    main()
