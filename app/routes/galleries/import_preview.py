"""What an import would bring, before it is begun: as JSON, and for the page of galleries."""

from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from app.deps import ServicesDep
from app.failures import BadQuery, DomainError
from app.services.galleries.import_preview import Preview, preview
from app.services.home.first_screen import counting_checkpoint
from app.services.jobs.submissions.import_images import GallerySource
from app.services.services import Services
from app.web.responses import Json

router = APIRouter()

SHOWN = 1000  # labels in the JSON, the most frequent ones


class PreviewParams(BaseModel):
    """A folder or manifest to look at; nothing is looked at while `path` is empty."""

    model_config = ConfigDict(extra="ignore")

    kind: Literal["folder", "manifest"] = "folder"
    path: Annotated[str, Field(max_length=4096)] = ""
    labels: Literal["auto", "folders", "none"] = "auto"
    name: Annotated[str, Field(max_length=100)] = ""

    @property
    def fields(self) -> dict[str, str]:
        """The parameters as fields of the import form."""
        given = {"kind": self.kind, "path": self.path.strip(), "name": self.name}
        return given | ({"labels": self.labels} if self.kind == "folder" else {})


class PreviewBody(BaseModel):
    """The folder or manifest to look at."""

    model_config = ConfigDict(extra="forbid")

    source: GallerySource


@dataclass(frozen=True)
class Looked:
    """A preview of an import, and of a scan that may follow it.

    `checkpoints` are the (slug, name) to scan with, `preferred` is the one that is suggested; `scan_bytes` is what its
    scan would take on disk, None if there is no checkpoint.
    """

    preview: Preview
    checkpoints: list[tuple[str, str]]
    preferred: str | None
    scan_bytes: int | None


def look(services: Services, source: GallerySource) -> Looked:
    """The preview of an import and of a scan after it. Raises Forbidden, BadQuery."""
    found = preview(services.settings, source, services.decoding)
    if found is None:
        raise BadQuery("nothing_to_preview", "Only a folder or a manifest on the server can be looked at beforehand.")
    known = services.checkpoints.choices()
    preferred = counting_checkpoint(services) or (known[0][0] if known else None)
    return Looked(
        found, known, preferred, None if preferred is None else _scan_bytes(services, preferred, found.images)
    )


def _scan_bytes(services: Services, checkpoint: str, images: int) -> int | None:
    """The bytes of a scan of all layers: embeddings and maxima, each one float16 for every unit and image."""
    try:
        layers = services.checkpoints.open(checkpoint).card.layers
    except DomainError:
        return None
    return images * sum(4 * layer.units for layer in layers)


def looked_json(looked: Looked) -> dict[str, object]:
    """The numbers of the preview; its sample pictures are only for the page."""
    found = looked.preview
    return {
        "images": found.images,
        "complete": found.whole,
        "folders": found.folders,
        "labels": dict(islice(found.labels.items(), SHOWN)),
        "splits": dict(found.splits),
        "columns": None if found.columns is None else vars(found.columns),
        "repeated": found.repeated,
        "left_out": [vars(one) for one in found.left_out],
        "source_bytes": found.source_bytes,
        "sampled": found.sampled,
        "unreadable_in_sample": found.unread_count,
        "unreadable": [vars(file) for file in found.unread],
        "images_per_second": found.rate,
        "eta_seconds": found.seconds,
        "disk_bytes": found.disk,
        "scan_bytes": looked.scan_bytes,
        "free_bytes": found.free,
    }


@router.post("/api/import-preview")
def preview_import(body: PreviewBody, services: ServicesDep) -> Json:
    """What an import of a folder or manifest would bring, within two seconds; nothing is imported."""
    return Json(looked_json(look(services, body.source)))
