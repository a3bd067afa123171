"""Makes what tests look at: photos, and a workspace whose jobs run in this process, one after the other."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from app.jobs import registration, table
from app.jobs.catalogue import KINDS
from app.jobs.context import JobContext
from app.jobs.folders import job_folder
from app.jobs.records import JobRecord
from app.jobs.spec import JobSpec
from app.services.checkpoints.bundled import ensure_random_init
from app.services.jobs.submissions.import_images import FolderFrom, NewGallery
from app.services.services import Services
from tests.waiting import wait_until

FILLED = 300.0  # seconds that the used workspace may take
ROOT = Path(__file__).resolve().parents[1]
CLASSES = ("beach", "forest", "night", "street")
CHANNELS = (24, 64, 96, 96, 64)  # of conv1 to conv5 in a quarter of AlexNet
TINY = {"crop": 64, "region": 96, "width": 0.25, "hidden": 16, "units": 8, "batch_size": 8, "steps": 3, "held_out": 8}


@dataclass(frozen=True)
class Workspace:
    """A workspace that was used: slugs of its gallery, checkpoint and scan."""

    path: Path
    photos: Path
    gallery: str
    checkpoint: str
    scan: str
    rows: int
    clustering: str

    @classmethod
    def told(cls, found: dict[str, Any]) -> "Workspace":
        return cls(**{**found, "path": Path(found["path"]), "photos": Path(found["photos"])})


@cache
def photo(seed: int, width: int = 160, height: int = 128) -> Image.Image:
    """Something with the statistics of a photo: a sky, soft shapes, a little noise. Nobody may change the picture."""
    rng = np.random.default_rng(seed)
    sky = np.linspace(rng.integers(60, 255, 3), rng.integers(0, 200, 3), height)[:, None, :]
    pixels = np.broadcast_to(sky, (height, width, 3)).copy()
    rows, columns = np.mgrid[:height, :width]
    for _ in range(int(rng.integers(3, 9))):
        y, x, radius = rng.integers(0, height), rng.integers(0, width), rng.integers(6, 40)
        squash = rng.uniform(0.5, 2.0)
        inside = (rows - y) ** 2 * squash + (columns - x) ** 2 / squash < radius**2
        pixels[inside] = 0.3 * pixels[inside] + 0.7 * rng.integers(0, 256, 3)
    noisy = pixels + rng.normal(0, 8, pixels.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.6))


def write_photos(folder: Path, count: int = 40) -> Path:
    """JPEG files in class folders, of several sizes, upright and wide."""
    for number in range(count):
        side = 112 + 16 * (number % 4)
        size = (side + 48, side) if number % 3 else (side, side + 32)
        path = folder / CLASSES[number % len(CLASSES)] / f"photo-{number:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        photo(number, *size).save(path, quality=92)
    return folder


def fill(services: Services, photos: Path) -> Workspace:
    """A gallery of the photos, a network trained for three steps, its scan of all layers, and clusters of one."""
    source = FolderFrom(kind="folder", path=str(photos))
    gallery = services.galleries.create(NewGallery(name="Photos", source=source)).gallery.slug
    run_jobs(services)
    train, _ = services.jobs.submit("train", {"gallery": gallery, "config": TINY})
    run_jobs(services)
    assert train.output is not None
    ensure_random_init(services.checkpoints)
    scan, _ = services.jobs.submit("scan", {"checkpoint": train.output.slug, "gallery": gallery})
    run_jobs(services)
    assert scan.output is not None
    group, _ = services.jobs.submit("cluster", {"scan": scan.output.slug, "layer": "conv5", "k": 5})
    run_jobs(services)
    assert group.output is not None
    rows = services.galleries.get(gallery).rows
    return Workspace(
        services.store.workspace, photos, gallery, train.output.slug, scan.output.slug, rows, group.output.slug
    )


class Filling:
    """What `fill` makes, by a process of its own: the caller needs no torch, and can do something else meanwhile.

    Several processes of tests may share the folder: the first one fills a workspace, and each takes a copy of it.
    """

    def __init__(self, shared: Path, photos: Path) -> None:
        self.folder = shared / "filled"
        self.process: subprocess.Popen[bytes] | None = None
        try:
            self.folder.mkdir()
        except FileExistsError:
            return  # another process is at it
        command = [sys.executable, "-m", "tests.filling", str(self.folder), str(photos)]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def copy(self, to: Path) -> Workspace:
        """The filled workspace, copied to a folder that is not there yet."""
        found = self.folder / "found.json"
        wait_until(lambda: found.exists() or self._failed(), FILLED)
        assert found.exists(), (self.folder / "log").read_text()
        shutil.copytree(self.folder / "workspace", to)
        return Workspace.told({**json.loads(found.read_text()), "path": to})

    def _failed(self) -> bool:
        return self.process is not None and bool(self.process.poll())

    def close(self) -> None:
        if self.process is not None:
            self.process.wait()  # other processes may be waiting for it as well


PROBE = {"layers": ["conv1", "counts"], "side": 64, "views": 2, "steps": 4, "batch": 16}


def probe_both(services: Services, workspace: Workspace) -> Path:
    """The table that two probes of the photos fill, of the trained network and of random init; made once a run."""
    jobs = [
        services.jobs.submit("probe", {"checkpoint": checkpoint, "gallery": workspace.gallery, **PROBE})[0]
        for checkpoint in (workspace.checkpoint, "random-init")
    ]
    run_jobs(services)
    assert jobs[0].output is not None
    return (workspace.path / jobs[0].output.path).parent


def run_jobs(services: Services) -> None:
    """Run every job that is queued, here and now, and register what it made."""
    for lane in ("light", "device"):
        while (job := _claim(services, lane)) is not None:
            _run(services, job)


def _claim(services: Services, lane: str) -> JobRecord | None:
    with services.store.write() as session:
        return table.claim(session, lane, "cpu")


def _run(services: Services, job: JobRecord) -> None:
    workspace = services.store.workspace
    folder = job_folder(workspace, job.id)
    folder.mkdir(parents=True, exist_ok=True)
    JobSpec(str(job.id), job.kind, str(workspace), job.spec, job.inputs, job.output, "cpu", job.attempt).write(folder)
    import_module(KINDS[job.kind].module).run(JobContext.open(folder))
    assert job.output is not None
    read = registration.reader(job.output.kind)
    assert read is not None
    register = read(workspace / job.output.path, job.output, job.id, job.spec)
    with services.store.write() as session:
        table.finish(session, job.id, "done")
        register(session)
