"""Finds the files that export jobs have written from a checkpoint; the writing itself needs torch and is a job."""

from dataclasses import dataclass
from pathlib import Path

from app.failures import Conflict
from app.services.checkpoints.service import CheckpointRecord
from models.checkpoints.exports import ENDINGS, FOLDER, FORMATS, Export, Format, read_export


@dataclass(frozen=True)
class Offer:
    """One file format for a checkpoint; `made` is None until a job has written the file."""

    format: Format
    made: Export | None

    @property
    def ending(self) -> str:
        """The ending of the file's name."""
        return ENDINGS[self.format]


def offers(record: CheckpointRecord) -> tuple[Offer, ...]:
    """Every format that a job can write, with the file where it was written."""
    return tuple(Offer(format, read_export(record.folder, format, record.sha256)) for format in FORMATS)


def export_file(record: CheckpointRecord, format: Format) -> tuple[Path, Export]:
    """The file in that format. Raises Conflict where no job has written it yet."""
    made = read_export(record.folder, format, record.sha256)
    if made is None:
        message = f"{record.slug} was not written as {format} yet: submit a job of kind export, then ask again."
        spec = {"checkpoint": record.slug, "format": format}
        raise Conflict("not_exported", message, {"kind": "export", "spec": spec})
    return record.folder / FOLDER / made.file, made
