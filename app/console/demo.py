"""`tessera demo`: a workspace with something in it before the server answers for the first time."""

import logging
import os
import sys

from sqlalchemy import select

from app.console.foreground import opened
from app.services.bundled import ensure_random_init, register_bundled
from app.services.services import Services
from app.services.showcase import counting_checkpoint
from app.services.submissions.import_images import CountablesFrom, NewGallery, SampleFrom
from app.settings import Settings
from app.store.tables import JobRow

COUNTABLES, PHOTOS = "countables", "sample-photos"

log = logging.getLogger("tessera.demo")


def prepare(settings: Settings) -> None:
    """Register the bundled checkpoints and submit, as jobs that anyone can watch, what the first screen shows.

    In the order in which it fills: the first scenes are drawn and scanned before the rest. A workspace that has it
    all already stays as it is.
    """
    with opened(settings) as services:
        services.galleries.create(NewGallery(name=COUNTABLES, source=CountablesFrom(kind="countables")))
        services.galleries.create(NewGallery(name=PHOTOS, source=SampleFrom(kind="sample")))
        trained = [record.slug for record in register_bundled(services.checkpoints)]
        if not trained:
            log.warning("the sample checkpoints are missing from this clone: train one on the sample photos instead")
            return
        control = ensure_random_init(services.checkpoints).slug
        first = counting_checkpoint(services) or trained[0]
        if not _submitted(services, first, COUNTABLES):
            _scan(services, first, COUNTABLES, start=True)
        others = [network for network in (*trained, control) if network != first]
        pairs = [(first, COUNTABLES), *((network, PHOTOS) for network in trained)]
        pairs += [(network, COUNTABLES) for network in others] + [(control, PHOTOS)]
        for checkpoint, gallery in pairs:
            if not _submitted(services, checkpoint, gallery, whole=True):
                _scan(services, checkpoint, gallery)


def _scan(services: Services, checkpoint: str, gallery: str, *, start: bool = False) -> None:
    spec = {"checkpoint": checkpoint, "gallery": gallery}
    services.jobs.submit("scan", {**spec, "start": True} if start else spec)


def _submitted(services: Services, checkpoint: str, gallery: str, *, whole: bool = False) -> bool:
    """Whether a scan of the two was ever asked for: once its gallery is there, the same scan has another identity."""
    with services.store.read() as session:
        specs = session.scalars(select(JobRow.spec).where(JobRow.kind == "scan")).all()
    kept = [spec for spec in specs if not (whole and spec.get("start"))]
    return any((spec.get("checkpoint"), spec.get("gallery")) == (checkpoint, gallery) for spec in kept)


def browser_wanted() -> bool | None:
    """True where somebody sits in front of a display; None leaves it to TESSERA_OPEN_BROWSER."""
    if "TESSERA_OPEN_BROWSER" in os.environ:
        return None
    if os.environ.get("SSH_CONNECTION") or not sys.stdout.isatty():
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
