"""What the page shows that takes a file of weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from app.failures import DomainError
from app.routes.foreign.routes import WeightsFile
from app.routes.galleries.view import roots_note
from app.services.foreign.inspections import InspectionRecord
from app.settings import Settings
from app.web.formats import ago, coded, file_size
from app.web.frame import PageContext
from models.foreign.formats import FORMATS


@dataclass(frozen=True)
class Refusal:
    """Why weights were not accepted; `file` is the name of the file, empty if published weights were asked for."""

    file: str
    message: Markup
    code: str


@dataclass(frozen=True)
class RecentFile:
    """A file that was inspected lately."""

    name: str
    href: str
    size: str
    made: Markup


@dataclass(frozen=True)
class FormatRow:
    """A format that can be read: its name, its usual file endings, and how it is read."""

    name: str
    endings: str
    how: Markup


@dataclass(frozen=True)
class CheckpointAddContext(PageContext):
    """The page with the three ways to bring weights: a file, a path on the server, a published name.

    `path` and `published` are what was typed, if it was refused. `roots` says which paths are allowed, `limit` how
    large a file may be.
    """

    template: ClassVar[str] = "checkpoint_add.html"
    refusal: Refusal | None
    path: str
    published: str
    roots: str
    limit: str
    formats: Sequence[FormatRow]
    recent: Sequence[RecentFile]


def checkpoint_add_context(
    recent: Sequence[InspectionRecord], given: WeightsFile, error: DomainError | None, settings: Settings
) -> CheckpointAddContext:
    """The page, with what was `given` and the `error` if it was refused."""
    return CheckpointAddContext(
        refusal=None if error is None else _refusal(given, error),
        path=given.path or "",
        published=given.published or "",
        roots=roots_note(settings),
        limit=file_size(settings.checkpoint_bytes),
        formats=[FormatRow(name, endings, coded(how)) for name, endings, how in FORMATS.values()],
        recent=[_recent(record, settings) for record in recent],
    )


def _refusal(given: WeightsFile, error: DomainError) -> Refusal:
    name = given.name or (given.path or "").rpartition("/")[2] or "This file"
    return Refusal("" if given.published else name, coded(error.message), error.code)


def _recent(record: InspectionRecord, settings: Settings) -> RecentFile:
    href = settings.url(f"/inspections/{record.id}")
    return RecentFile(record.name, href, file_size(record.inspection.bytes), ago(record.created_at))
