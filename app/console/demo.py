"""The command `tessera demo`: fills a workspace with samples before the server starts."""

import logging
import os
import sys
import threading
from importlib import import_module
from typing import Self

from sqlalchemy import select

from app.console.foreground import opened
from app.jobs import registration
from app.jobs.context import JobContext, Stopped
from app.jobs.folders import job_folder
from app.jobs.kinds import import_images
from app.jobs.records import JobRecord
from app.jobs.spec import JobSpec
from app.services.checkpoints.bundled import ensure_random_init, register_bundled
from app.services.home.first_screen import scene_checkpoint
from app.services.jobs.submissions.import_images import CountablesFrom, NewGallery, SampleFrom
from app.services.services import Services
from app.settings import Settings
from app.store.tables import JobRow

COUNTABLES, PHOTOS = "countables", "sample-photos"
PATIENCE = 2.5  # seconds that the server waits for the first scenes

log = logging.getLogger("tessera.demo")


def prepare(settings: Settings) -> None:
    """Register the bundled checkpoints, and submit the jobs that make what the first page shows.

    The first scenes are drawn here, so that the server starts with them; the other work is done by jobs, of which the
    scan of these scenes comes first. A workspace that has all of this is left as it is.
    """
    with opened(settings) as services:
        scenes = services.galleries.create(NewGallery(name=COUNTABLES, source=CountablesFrom(kind="countables")))
        drawing = None
        if scenes.created and not services.jobs.supervised:
            drawing = FirstScenes(services, scenes.job).start()
        services.galleries.create(NewGallery(name=PHOTOS, source=SampleFrom(kind="sample")))
        _submit_scans(services)
        import_module("app.main")  # takes most of a second, in which scenes are drawn
        if drawing is not None:
            drawing.publish(PATIENCE)


def _submit_scans(services: Services) -> None:
    trained = [record.slug for record in register_bundled(services.checkpoints)]
    if not trained:
        log.warning("the sample checkpoints are missing from this installation: train one on the sample photos instead")
        return
    control = ensure_random_init(services.checkpoints).slug
    first = scene_checkpoint(services) or trained[0]
    if not _submitted(services, first, COUNTABLES):
        _scan(services, first, COUNTABLES, start=True)
    others = [network for network in (*trained, control) if network != first]
    pairs = [(first, COUNTABLES), *((network, PHOTOS) for network in trained)]
    pairs += [(network, COUNTABLES) for network in others] + [(control, PHOTOS)]
    for checkpoint, gallery in pairs:
        if not _submitted(services, checkpoint, gallery, whole=True):
            _scan(services, checkpoint, gallery)


class FirstScenes:
    """Draws the first scenes of an import job while the server is being imported; the job then draws the others.

    Where the machine is too slow nothing is published, and the job draws all scenes.
    """

    def __init__(self, services: Services, job: JobRecord) -> None:
        assert job.output is not None
        self._services, self._job, self._output = services, job, job.output
        workspace = services.store.workspace
        folder = job_folder(workspace, job.id)
        folder.mkdir(parents=True, exist_ok=True)
        JobSpec(str(job.id), job.kind, str(workspace), job.spec, job.inputs, job.output, attempt=0).write(folder)
        self._context = JobContext.open(folder)
        self._thread = threading.Thread(target=self._draw, name="first-scenes", daemon=True)
        self._drawn = False

    def start(self) -> Self:
        self._thread.start()
        return self

    def publish(self, within: float) -> bool:
        """Register the scenes; False where they were not finished within so many seconds."""
        self._thread.join(within)
        self._context.stop()
        self._thread.join()
        self._context.close()
        if not self._drawn:
            return False
        store = self._services.store
        register = registration.gallery(store.path(self._output.path), self._output, self._job.id, self._job.spec)
        with store.write() as session:
            register(session)
        return True

    def _draw(self) -> None:
        try:
            import_images.begin(self._context)
            self._drawn = True
        except Stopped:
            pass
        except Exception:  # the job will fail in the same way, and explain it
            log.exception("the first scenes could not be drawn")


def _scan(services: Services, checkpoint: str, gallery: str, *, start: bool = False) -> None:
    spec = {"checkpoint": checkpoint, "gallery": gallery}
    services.jobs.submit("scan", {**spec, "start": True} if start else spec)


def _submitted(services: Services, checkpoint: str, gallery: str, *, whole: bool = False) -> bool:
    """Whether a scan of the two was ever submitted; with `whole`, scans of a growing gallery's start do not count.

    This cannot be asked by identity, because the same scan has another one once its gallery is complete.
    """
    with services.store.read() as session:
        specs = session.scalars(select(JobRow.spec).where(JobRow.kind == "scan")).all()
    kept = [spec for spec in specs if not (whole and spec.get("start"))]
    return any((spec.get("checkpoint"), spec.get("gallery")) == (checkpoint, gallery) for spec in kept)


def browser_wanted() -> bool | None:
    """Whether to open a browser: only where there is a display; None leaves it to TESSERA_OPEN_BROWSER."""
    if "TESSERA_OPEN_BROWSER" in os.environ:
        return None
    if os.environ.get("SSH_CONNECTION") or not sys.stdout.isatty():
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
