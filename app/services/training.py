"""A training as the forms start it: with a scan of the new checkpoint queued behind it where that is wished."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from app.jobs.records import JobRecord
from app.services.services import Services
from app.store.tables import ScanRow


def start_training(services: Services, spec: Mapping[str, Any], scan_over: str | None) -> JobRecord:
    """Submit a training, and behind it a scan of its checkpoint over the gallery `scan_over`; the training's job.

    The scan waits for the training, whose checkpoint has its name from the start. A training that is done already
    and has such a scan gets no second one. Raises what submitting raises, before anything is queued for the gallery.
    """
    if scan_over is not None:
        services.galleries.get(scan_over)
    job, _ = services.jobs.submit("train", spec)
    if scan_over is not None and job.output is not None and not _scanned(services, job.output.slug, scan_over):
        services.jobs.submit("scan", {"checkpoint": job.output.slug, "gallery": scan_over})
    return job


def _scanned(services: Services, checkpoint: str, gallery: str) -> bool:
    query = select(ScanRow.id).where(ScanRow.checkpoint == checkpoint, ScanRow.gallery == gallery, ScanRow.done)
    with services.store.read() as session:
        return session.scalar(query.limit(1)) is not None
