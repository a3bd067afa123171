"""The service for inspections of foreign files of weights.

It keeps what was found in a file, and uploaded files themselves, for a day and within bounds.
"""

import contextlib
import json
import logging
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from app.failures import BadQuery, Conflict, NoRoom, NotFound
from app.inspector.client import Inspector
from app.services.foreign.library_files import LibraryFiles
from app.services.server_paths import allowed
from app.settings import Settings
from models.atomic import write_json
from models.foreign.published_names import LibraryWeights, is_library_name
from models.foreign.weights import Inspection

FOLDER: Final = "inputs"
RECORD, WEIGHTS = "inspection.json", "weights"
FORMAT: Final = 1
KEPT: Final = 100  # inspections that are kept
LISTED: Final = 20  # inspections that are listed
KEPT_SECONDS: Final = 24 * 3600.0
KEPT_FILES: Final = 3  # all uploaded files together may be so many times as large as the largest allowed file
SPARE: Final = 512 << 20  # bytes of the disk that have to stay free after an upload
ID: Final = re.compile(r"[0-9a-f]{64}")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InspectionRecord:
    """An inspected file; `id` is its SHA-256, `source` its path.

    `reports` say, by name of the candidate, what checkpoint its weights would become. `filters` are pictures of the
    first layers (models.foreign.first_filters). `published` is what a library says about weights that were asked for by
    name (models.foreign.published_names), None for others.
    """

    id: str
    name: str
    inspection: Inspection
    reports: Mapping[str, Mapping[str, Any]]
    filters: Mapping[str, Mapping[str, Any]]
    created_at: datetime
    source: Path
    uploaded: bool
    published: Mapping[str, Any] | None = None

    @property
    def expires_at(self) -> datetime:
        """The time at which the inspection is removed at the latest."""
        return datetime.fromtimestamp(self.created_at.timestamp() + KEPT_SECONDS, UTC)


class InspectionsService:
    """Has files inspected by the inspector, and keeps the results; the same content is the same inspection."""

    def __init__(self, settings: Settings, inspector: Inspector) -> None:
        self._settings = settings
        self._folder = settings.workspace / FOLDER
        self.inspector = inspector
        self._published_files = LibraryFiles(settings)

    @property
    def arrivals(self) -> Path:
        """The folder into which uploads are received."""
        return self._folder

    def make_room(self, length: int | None) -> None:
        """Raises NoRoom where an upload of so many bytes would fill the disk."""
        place = next(it for it in (self._folder, *self._folder.parents) if it.exists())
        if shutil.disk_usage(place).free < (length or 0) + SPARE:
            raise NoRoom("disk_full", "The server's disk has no room for this file.")

    def take(self, file: Path, sha256: str, name: str) -> InspectionRecord:
        """Inspect an uploaded file and move it into the workspace. Raises what the inspector raises.

        A file that is refused, or whose content is kept already, stays where it is.
        """
        kept = self._folder / sha256 / WEIGHTS
        with contextlib.suppress(NotFound):
            known = self.get(sha256)
            if known.uploaded:
                return self._write(sha256, name, _stored(known), None)
        found = self._look(file)
        kept.parent.mkdir(parents=True, exist_ok=True)
        file.replace(kept)
        return self._write(sha256, name, found, None)

    def look(self, path: str) -> InspectionRecord:
        """Inspect a file on the server, which stays where it is. Raises Forbidden, and what the inspector raises."""
        place = allowed(self._settings, path, "not_a_file", "an absolute path of a file of weights on the server")
        found = self._look(place)
        sha256 = str(found["inspection"]["sha256"])
        return self._write(sha256, place.name, found, place)

    def look_up(self, name: str) -> InspectionRecord:
        """Inspect weights that a library publishes under this name.

        Raises BadQuery for an unknown name, and what `look_at` raises.
        """
        if not is_library_name(name):
            raise BadQuery("unknown_weights", "Weights are named like torchvision:resnet50.IMAGENET1K_V2.")
        told = self.inspector.ask("library", self._settings.workspace, name=name.strip())
        return self.look_at(LibraryWeights.from_json(told))

    def look_at(self, told: LibraryWeights) -> InspectionRecord:
        """Inspect published weights, described by `told`; their file is downloaded where it is not there yet.

        Raises what LibraryFiles.file raises, and what the inspector raises.
        """
        place = self._published_files.file(told)
        found = {**self._look(place, library=told.as_json()), "library": told.as_json()}
        return self._write(str(found["inspection"]["sha256"]), told.name, found, place)

    def recent(self) -> tuple[InspectionRecord, ...]:
        """The latest inspections, newest first."""
        found: list[tuple[float, str]] = []
        for record in self._folder.glob(f"*/{RECORD}"):
            with contextlib.suppress(OSError):
                found.append((record.stat().st_mtime, record.parent.name))
        known: list[InspectionRecord] = []
        for _, name in sorted(found, reverse=True)[:LISTED]:
            with contextlib.suppress(NotFound):
                known.append(self.get(name))
        return tuple(known)

    def get(self, inspection: str) -> InspectionRecord:
        """The inspection of that id. Raises NotFound, also where it is no longer kept."""
        folder = self._folder / (inspection if ID.fullmatch(inspection) else "none")
        try:
            record = json.loads((folder / RECORD).read_bytes())
            if record["format"] != FORMAT:
                raise ValueError("written by another version")
            return _record(inspection, record, folder)
        except (OSError, ValueError, KeyError, TypeError):
            raise NotFound(
                "unknown_inspection", "This inspection is not kept (any more); give the file again."
            ) from None

    def open(self, inspection: str) -> InspectionRecord:
        """The inspection, if its file still exists. Raises NotFound, and Conflict where the file is gone."""
        record = self.get(inspection)
        if not record.source.is_file():
            raise Conflict("input_missing", "The file that was inspected is gone; give it again.")
        return record

    def report(self, record: InspectionRecord, candidate: str, architecture: str) -> Mapping[str, Any]:
        """What the candidate's weights would become in the named architecture. Raises BadQuery, NotFound."""
        if candidate not in {it.name for it in record.inspection.candidates}:
            raise NotFound("unknown_candidate", f"The file has no weights {candidate[:80]!r}.")
        asked = {"inspection": record.inspection.as_json(), "candidate": candidate, "library": record.published}
        asked["architecture"] = architecture
        found: Mapping[str, Any] = self.inspector.ask("compare", record.source, **asked)["report"]
        return found

    def _look(self, path: Path, *, library: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return self.inspector.ask("inspect", path, limit=self._settings.checkpoint_bytes, library=library)

    def _write(self, sha256: str, name: str, found: Mapping[str, Any], place: Path | None) -> InspectionRecord:
        folder = self._folder / sha256
        record = {"format": FORMAT, "name": name, "created": time.time(), "path": place and str(place), **found}
        if (folder / WEIGHTS).exists():
            record["path"] = None
        write_json(folder / RECORD, record)
        log.info("inspected %s", sha256[:12])
        self._forget(keep=folder)
        return _record(sha256, record, folder)

    def _forget(self, *, keep: Path) -> None:
        """Remove the oldest inspections beyond the bounds; another request may remove the same at the same time."""
        found: list[tuple[float, int, Path]] = []
        for folder in self._folder.iterdir():
            with contextlib.suppress(OSError):
                if ID.fullmatch(folder.name):
                    size = (folder / WEIGHTS).stat().st_size if (folder / WEIGHTS).exists() else 0
                    found.append(((folder / RECORD).stat().st_mtime, size, folder))
        oldest, total = time.time() - KEPT_SECONDS, 0
        for place, (modified, size, folder) in enumerate(sorted(found, reverse=True)):
            total += size
            beyond = place >= KEPT or modified < oldest or total > KEPT_FILES * self._settings.checkpoint_bytes
            if beyond and folder != keep:
                shutil.rmtree(folder, ignore_errors=True)


def _record(inspection: str, record: Mapping[str, Any], folder: Path) -> InspectionRecord:
    path = record["path"]
    return InspectionRecord(
        id=inspection,
        name=str(record["name"]),
        inspection=Inspection.from_json(record["inspection"]),
        reports=dict(record.get("reports", {})),
        filters=dict(record.get("filters", {})),
        created_at=datetime.fromtimestamp(float(record["created"]), UTC),
        source=folder / WEIGHTS if path is None else Path(path),
        uploaded=path is None,
        published=record.get("library"),
    )


def _stored(record: InspectionRecord) -> dict[str, Any]:
    return {"inspection": record.inspection.as_json(), "reports": dict(record.reports), "filters": dict(record.filters)}
