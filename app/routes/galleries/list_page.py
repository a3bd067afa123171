"""What two pages show: the list of all galleries, and the files that a gallery left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from app.jobs.records import JobRecord
from app.routes.galleries.import_forms import ImportForms, ImportPreview, import_forms, import_preview
from app.routes.galleries.import_preview import Looked
from app.routes.galleries.view import cover, unfinished, waiting
from app.services.galleries.service import GalleryPage, GalleryRecord, SkippedFile, SkippedPage
from app.services.services import Services
from app.settings import Settings
from app.web.formats import ago, count, number
from app.web.frame import PageContext

WORKING = ("queued", "running", "cancelling")


@dataclass(frozen=True)
class EntryJob:
    """The import of a gallery that has not ended well; `works`: it has not ended, so the page follows it."""

    href: str
    data: str
    state: str
    works: bool
    share: float | None


@dataclass(frozen=True)
class Entry:
    """A gallery in the list, with the addresses of a few of its thumbnails."""

    href: str
    name: str
    cover: Sequence[str]
    bare: str  # what stands in the place of the cover
    rows: str
    skipped: str
    kind: str
    made: Markup
    job: EntryJob | None


@dataclass(frozen=True)
class GalleriesContext(PageContext):
    """The list of galleries, and the forms that make one; `looked` is the preview of a folder, if one was asked for."""

    template: ClassVar[str] = "galleries.html"
    entries: Sequence[Entry]
    first: str | None
    next: str | None
    waiting: bool
    error: str
    looked: ImportPreview | None
    forms: ImportForms


@dataclass(frozen=True)
class SkippedContext(PageContext):
    """The files of a gallery that were left out, and why."""

    template: ClassVar[str] = "skipped.html"
    name: str
    here: str
    lead: str
    json: str
    files: Sequence[SkippedFile]
    first: str | None
    next: str | None


def galleries_context(
    services: Services,
    settings: Settings,
    found: GalleryPage,
    *,
    cursor: str | None,
    error: str,
    given: Mapping[str, str],
    looked: Looked | None,
) -> GalleriesContext:
    """The page, with the fields `given` in the import form that was sent, if one was."""
    jobs = [unfinished(services, gallery) for gallery in found.galleries]
    here = settings.url("/galleries")
    return GalleriesContext(
        entries=[_entry(gallery, job, settings) for gallery, job in zip(found.galleries, jobs, strict=True)],
        first=None if cursor is None else here,
        next=settings.url(f"/galleries?cursor={found.next}") if found.next else None,
        waiting=waiting(jobs),
        error=error,
        looked=None if looked is None else import_preview(looked, given, here),
        forms=import_forms(here, given, settings, naming=True),
    )


def _entry(gallery: GalleryRecord, job: JobRecord | None, settings: Settings) -> Entry:
    images = f"/api/galleries/{gallery.slug}/images"
    return Entry(
        href=settings.url(f"/galleries/{gallery.slug}"),
        name=gallery.name,
        cover=[settings.url(f"{images}/{row}/thumbnail") for row in cover(gallery)],
        bare="no images yet" if job else "no images",
        rows=count(gallery.rows, "image"),
        skipped=f"{number(gallery.skipped)} skipped" if gallery.skipped else "",
        kind=gallery.source["kind"],
        made=ago(gallery.created_at),
        job=None if job is None else _entry_job(job, settings),
    )


def _entry_job(job: JobRecord, settings: Settings) -> EntryJob:
    total = job.progress.get("total")
    return EntryJob(
        href=settings.url(f"/jobs/{job.id}"),
        data=settings.url(f"/api/jobs/{job.id}"),
        state=job.state,
        works=job.state in WORKING,
        share=(job.progress.get("step") or 0) / total if total else None,
    )


def skipped_context(
    gallery: GalleryRecord, found: SkippedPage, settings: Settings, *, cursor: str | None
) -> SkippedContext:
    """The page of the files that were left out."""
    here = settings.url(f"/galleries/{gallery.slug}")
    return SkippedContext(
        name=gallery.name,
        here=here,
        lead=f"{count(gallery.skipped, 'file')} took no row in {gallery.name}",
        json=settings.url(f"/api/galleries/{gallery.slug}/skipped"),
        files=found.files,
        first=None if cursor is None else f"{here}/skipped",
        next=settings.url(f"/galleries/{gallery.slug}/skipped?cursor={found.next}") if found.next else None,
    )
