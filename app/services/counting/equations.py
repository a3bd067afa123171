"""The best and the worst counting equations of a gallery, from a scan of it."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from app.failures import Conflict
from app.services.scans.service import OpenScan, guarded
from models.scans.best_equations import Band, bands
from models.scans.files import ScanReader


@dataclass(frozen=True)
class GalleryEquations:
    """The equations of a gallery in bands, each a third of its images; `scan` is None where no scan has equations."""

    scan: str | None
    bands: tuple[Band, ...]


def gallery_equations(scans: Iterable[OpenScan], gallery: str) -> GalleryEquations:
    """The equations of the first of a checkpoint's scans that is of this gallery and has them."""
    for scan in scans:
        if scan.gallery == gallery and scan.info.residual:
            with suppress(Conflict):  # its files are damaged
                return GalleryEquations(scan.slug, guarded(_bands, scan.reader))
    return GalleryEquations(None, ())


def _bands(reader: ScanReader) -> tuple[Band, ...]:
    return bands(reader.equation) if reader.equation is not None else ()
