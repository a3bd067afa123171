"""Reads the results of a checkpoint's sanity checks, which jobs have written."""

from app.failures import NotFound
from app.services.checkpoints.service import CheckpointRecord
from models.sanity import report as sanity_report
from models.sanity.report import Sanity


def checks(record: CheckpointRecord) -> list[Sanity]:
    """The results for the checkpoint's current weights, one for each gallery."""
    return [found for found in sanity_report.read_all(record.folder) if found.weights_sha256 == record.sha256]


def check_on(record: CheckpointRecord, gallery: str | None) -> Sanity | None:
    """The check on that gallery; with None the latest check, None where there is none. Raises NotFound."""
    found = checks(record)
    if gallery is None:
        return max(found, key=lambda it: it.finished, default=None)
    for one in found:
        if one.gallery == gallery:
            return one
    raise NotFound("not_checked", f"{record.slug} was not checked on {gallery[:80]!r}.")
