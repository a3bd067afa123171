"""The best and the worst counting equations of a gallery, from a scan of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.failures import Conflict, NotFound
from app.services.scans.service import ScansService, guarded
from models.scans.bands import Band, bands
from models.scans.files import ScanReader


@dataclass(frozen=True)
class GalleryEquations:
    """The scan they are from (None: there is none with equations) and the thirds of its images."""

    scan: str | None
    bands: tuple[Band, ...]


def gallery_equations(scans: ScansService, slugs: Sequence[str], gallery: str) -> GalleryEquations:
    """From the newest of a checkpoint's scans `slugs` that has the equations of this gallery."""
    for slug in slugs:
        try:
            reader = scans.reader(slug)
            if reader.info.gallery == gallery and reader.info.residual:
                return GalleryEquations(slug, guarded(_bands, reader))
        except (Conflict, NotFound):  # it fits its gallery no longer, or was damaged
            continue
    return GalleryEquations(None, ())


def _bands(reader: ScanReader) -> tuple[Band, ...]:
    return bands(reader.equation) if reader.equation is not None else ()
