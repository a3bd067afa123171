"""What of a checkpoint can be taken away: its weights as they are, and the files that jobs wrote from them."""

from dataclasses import dataclass
from pathlib import Path

from app.failures import Conflict
from app.services.checkpoints.service import CheckpointRecord, CheckpointsService
from models.checkpoints.exports import ENDINGS, FOLDER, FORMATS, Export, Format, read_export


@dataclass(frozen=True)
class Offer:
    """One form of a checkpoint; `made` is None until a job has written it."""

    format: Format
    made: Export | None

    @property
    def ending(self) -> str:
        """Of the file's name."""
        return ENDINGS[self.format]


class ExportsService:
    """Finds files; whatever needs torch is a job."""

    def __init__(self, checkpoints: CheckpointsService) -> None:
        self._checkpoints = checkpoints

    def offers(self, record: CheckpointRecord) -> tuple[Offer, ...]:
        """Every form that a job can write, with the file where there is one."""
        return tuple(Offer(format, read_export(record.folder, format, record.sha256)) for format in FORMATS)

    def file(self, slug: str, format: Format) -> tuple[Path, Export]:
        """The file in that form. Raises NotFound, and Conflict where no job has written it yet."""
        record = self._checkpoints.get(slug)
        made = read_export(record.folder, format, record.sha256)
        if made is None:
            message = f"{slug} was not written as {format} yet: submit a job of kind export, then ask again."
            raise Conflict("not_exported", message, {"kind": "export", "spec": {"checkpoint": slug, "format": format}})
        return record.folder / FOLDER / made.file, made
