"""Chooses what the first page shows: a counting checkpoint, a gallery, their scan, and an image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.failures import DomainError
from app.jobs.records import JobRecord
from app.jobs.states import ENDED
from app.services.checkpoints.service import COUNTING, CheckpointRecord
from app.services.counting.service import gallery_image
from app.services.galleries.service import GalleryRecord
from app.services.query_images import QueryImage
from app.services.scans.service import OpenScan, ScanRecord
from app.services.services import Services
from models.galleries.packs import Pack
from models.random_init import NAME as RANDOM_INIT
from models.scans.files import Equations

UNTRAINED = frozenset({RANDOM_INIT})  # controls, which are never chosen themselves
SCENES, PHOTOS = "countables", "sample-photos"
# Pairs of checkpoint and gallery that `make demo` makes; the first has a truth and a network trained on such scenes.
PREFERRED = (("counting-countables", SCENES), ("counting-photos", SCENES), ("counting-photos", PHOTOS))
OWN = (("counting-photos", PHOTOS), ("counting-photos", SCENES), ("counting-countables", SCENES))  # for uploads
Pairs = tuple[tuple[str, str], ...]
LISTED = 100  # how many of the newest galleries and jobs are searched for unfinished work
WEIGHED = 5_000  # in scans of up to so many rows, the equations are read to find a typical image
DRAWN, SEVERAL = 24, range(3, 7)  # how many rows the first image is chosen from, and how many objects it should have


@dataclass(frozen=True)
class Stage:
    """The checkpoint, gallery and scan of the first page; `opened` is None while there is no scan.

    `making` is the job that makes what is missing: the import, or the scan or the rest of it.
    """

    checkpoint: CheckpointRecord
    gallery: GalleryRecord
    opened: OpenScan | None
    making: JobRecord | None
    scans: tuple[str, ...]  # all that could be shown, the preferred first

    @property
    def scan(self) -> ScanRecord | None:
        return None if self.opened is None else self.opened.record

    @property
    def coming(self) -> bool:
        """Whether a job is making what is missing."""
        return self.making is not None and self.making.state not in ENDED


@dataclass(frozen=True)
class Subject:
    """The image that all panels are about: a row of the stage's gallery, or an upload.

    Where the image was chosen as typical, `among` is the number of random images out of which it has the median error
    of the counting equation.
    """

    image: QueryImage
    row: int | None = None
    upload: str | None = None
    among: int | None = None


def counting_checkpoint(services: Services) -> str | None:
    """The checkpoint that counts in an uploaded photo; None where no trained network counts."""
    return _checkpoint(services, OWN)


def scene_checkpoint(services: Services) -> str | None:
    """The checkpoint that is shown with generated scenes; None where no trained network counts."""
    return _checkpoint(services, PREFERRED)


def scan_of(services: Services, gallery: str) -> str | None:
    """The scan that the pages of a gallery link to, of a trained network where possible; None where there is none."""
    found = services.galleries.scans(gallery)
    ranked = sorted(found, key=lambda pair: (pair[1] in UNTRAINED, _place(pair[1], gallery)))
    return ranked[0][0] if ranked else None


def scanning(services: Services, gallery: str) -> JobRecord | None:
    """The unfinished scan of a gallery, of several the one that was submitted first; None where there is none."""
    jobs = [job for job in _scan_jobs(services) if job.spec.get("gallery") == gallery and job.state not in ENDED]
    return jobs[-1] if jobs else None


def stage(services: Services, wanted: str | None = None, *, own: bool = False) -> Stage | None:
    """The stage with the scan that is asked for, else with the preferred one.

    `own` prefers a scan that suits an uploaded photo. None where no trained network counts or there are no images.
    Raises NotFound or Conflict for a scan that is asked for and cannot be shown.
    """
    scans = _scans(services, OWN if own else PREFERRED)
    if wanted is not None:
        chosen: OpenScan | None = services.scans.open(wanted)
    else:
        chosen = next(filter(None, (_opened(services, scan) for scan in scans)), None)
    names = tuple(scans)
    if chosen is not None:
        gallery = services.galleries.get(chosen.gallery)
        making = _import(services, gallery) or _growing(services, chosen.record)
        return Stage(chosen.checkpoint, gallery, chosen, making, names)
    return _expected(services, names)


def subject(services: Services, on: Stage, *, row: int | None, upload: str | None, shuffle: int) -> Subject | None:
    """The upload or row that is asked for, else a random row; None while there are no images. Raises NotFound.

    With `shuffle` 0 the most typical of several random rows is taken, so that a newcomer does not see an odd one.
    """
    if upload is not None:
        return Subject(services.uploads.open(upload), upload=upload)
    if row is not None:
        return Subject(gallery_image(on.gallery.slug, services.galleries.open(on.gallery), row), row)
    pack = services.galleries.open(on.gallery)
    rows = len(pack) if on.scan is None else min(len(pack), on.scan.rows)
    if rows == 0:
        return None
    drawn = _telling_rows(pack, rows, shuffle)
    chosen, among = drawn[0], None
    if shuffle == 0 and on.opened is not None and on.opened.record.rows <= WEIGHED:
        equation = on.opened.reader.equation
        if equation is not None:
            errors = Equations(equation.whole[drawn], equation.total[drawn]).relative
            chosen, among = _typical(drawn, errors)
    return Subject(gallery_image(on.gallery.slug, pack, chosen), chosen, among=among)


def _checkpoint(services: Services, preferred: Pairs) -> str | None:
    found = [record.slug for record in services.checkpoints.counting() if record.slug not in UNTRAINED]
    return min(found, key=lambda slug: _place(slug, None, preferred), default=None)  # of equals the newest


def _place(checkpoint: str, gallery: str | None, preferred: Pairs = PREFERRED) -> int:
    for place, (network, photos) in enumerate(preferred):
        if checkpoint == network and gallery in (None, photos):
            return place
    return len(preferred)


def _scans(services: Services, preferred: Pairs) -> list[str]:
    found = [scan for scan in services.scans.choices(COUNTING) if scan.checkpoint not in UNTRAINED]
    return [scan.slug for scan in sorted(found, key=lambda scan: _place(scan.checkpoint, scan.gallery, preferred))]


def _opened(services: Services, scan: str) -> OpenScan | None:
    try:
        return services.scans.open(scan)
    except DomainError:
        return None


def _expected(services: Services, names: tuple[str, ...]) -> Stage | None:
    """The stage before the first scan: a network, and a gallery with images or with an unfinished import."""
    slug = scene_checkpoint(services)
    if slug is None:
        return None
    filled = min(services.galleries.filled(), key=lambda gallery: _place(slug, gallery.slug), default=None)
    if filled is not None:
        making, gallery = _scan_job(services, slug, filled.slug), services.galleries.get(filled.slug)
        return Stage(services.checkpoints.get(slug), gallery, None, making, names)
    for gallery in sorted(services.galleries.list(limit=LISTED).galleries, key=lambda item: _place(slug, item.slug)):
        if (making := _import(services, gallery)) is not None:
            return Stage(services.checkpoints.get(slug), gallery, None, making, names)
    return None


def _import(services: Services, gallery: GalleryRecord) -> JobRecord | None:
    job = services.galleries.job(gallery)
    return None if job is None or job.state in ENDED else job


def _growing(services: Services, scan: ScanRecord) -> JobRecord | None:
    job = _scan_job(services, scan.checkpoint, scan.gallery)
    return None if job is None or job.state in ENDED else job


def _scan_job(services: Services, checkpoint: str, gallery: str) -> JobRecord | None:
    """The newest job that scans the gallery with the checkpoint, in whatever state; None where there is none."""
    pair = {"checkpoint": checkpoint, "gallery": gallery}
    return next((job for job in _scan_jobs(services) if pair.items() <= dict(job.spec).items()), None)


def _scan_jobs(services: Services) -> Iterator[JobRecord]:
    yield from services.jobs.list(kinds=("scan",), limit=LISTED).jobs


def _telling_rows(pack: Pack, rows: int, shuffle: int) -> list[int]:
    """Random rows; of generated scenes only those with several objects that belong to no sweep, if there are any."""
    drawn = [int(row) for row in np.random.default_rng(shuffle).integers(rows, size=DRAWN)]
    scenes = {row: pack.scene(row) for row in dict.fromkeys(drawn)}
    telling = [
        row for row, scene in scenes.items() if scene is None or (scene["sweep"] is None and scene["number"] in SEVERAL)
    ]
    return telling or drawn


def _typical(rows: Sequence[int], errors: NDArray[np.float32]) -> tuple[int, int | None]:
    """The row with the median error, and the number of rows that have an error; the first row where none has."""
    known = sorted((error, row) for error, row in zip(errors.tolist(), rows, strict=True) if np.isfinite(error))
    return (known[len(known) // 2][1], len(known)) if known else (rows[0], None)
