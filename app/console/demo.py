"""`tessera demo`: a workspace with something in it before the server answers for the first time."""

import logging
import os
import sys
from pathlib import Path

from sqlalchemy import select

from app.console.foreground import opened
from app.services.services import Services
from app.services.submissions.import_images import NewGallery, SampleFrom
from app.settings import Settings
from app.store.tables import JobRow

SAMPLE = Path(__file__).resolve().parents[2] / "models" / "samples" / "counting-photos"
GALLERY = "sample-photos"

log = logging.getLogger("tessera.demo")


def prepare(settings: Settings) -> None:
    """Register the sample checkpoint; submit the sample gallery and its scan as jobs that anyone can watch.

    A workspace that has them already stays as it is.
    """
    with opened(settings) as services:
        gallery = services.galleries.create(NewGallery(name=GALLERY, source=SampleFrom(kind="sample"))).gallery
        if not (SAMPLE / "checkpoint.json").exists():
            log.warning("the sample checkpoint is missing from this clone: train one on the sample photos instead")
            return
        checkpoint = services.checkpoints.register_folder(SAMPLE)
        if not _scan_submitted(services, checkpoint.slug, gallery.slug):
            services.jobs.submit("scan", {"checkpoint": checkpoint.slug, "gallery": gallery.slug})


def _scan_submitted(services: Services, checkpoint: str, gallery: str) -> bool:
    """Whether a scan of the two was ever asked for: once its gallery is there, the same scan has another identity."""
    with services.store.read() as session:
        specs = session.scalars(select(JobRow.spec).where(JobRow.kind == "scan")).all()
    return any((spec.get("checkpoint"), spec.get("gallery")) == (checkpoint, gallery) for spec in specs)


def browser_wanted() -> bool | None:
    """True where somebody sits in front of a display; None leaves it to TESSERA_OPEN_BROWSER."""
    if "TESSERA_OPEN_BROWSER" in os.environ:
        return None
    if os.environ.get("SSH_CONNECTION") or not sys.stdout.isatty():
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
