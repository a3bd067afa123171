"""What an import would bring: the JSON answer, and the part of the galleries page that shows it before it is begun."""

from dataclasses import dataclass
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


class PreviewParams(BaseModel):
    """A folder or manifest to look at; without a path there is nothing to look at."""

    model_config = ConfigDict(extra="ignore")

    kind: Literal["folder", "manifest"] = "folder"
    path: Annotated[str, Field(max_length=4096)] = ""
    labels: Literal["auto", "folders", "none"] = "auto"
    name: Annotated[str, Field(max_length=100)] = ""

    @property
    def fields(self) -> dict[str, str]:
        """As the import form would send them."""
        given = {"kind": self.kind, "path": self.path.strip(), "name": self.name}
        return given | ({"labels": self.labels} if self.kind == "folder" else {})


class PreviewBody(BaseModel):
    """What to look at."""

    model_config = ConfigDict(extra="forbid")

    source: GallerySource


@dataclass(frozen=True)
class Looked:
    """A preview, and what a scan after the import can be made with and would need."""

    preview: Preview
    checkpoints: list[tuple[str, str]]
    preferred: str | None
    scan_bytes: int | None


def look(services: Services, source: GallerySource) -> Looked:
    """The preview with what follows it. Raises Forbidden, BadQuery."""
    found = preview(services.settings, source)
    if found is None:
        raise BadQuery("nothing_to_preview", "Only a folder or a manifest on the server can be looked at beforehand.")
    known = services.checkpoints.choices()
    preferred = counting_checkpoint(services) or (known[0][0] if known else None)
    return Looked(
        found, known, preferred, None if preferred is None else _scan_bytes(services, preferred, found.images)
    )


def _scan_bytes(services: Services, checkpoint: str, images: int) -> int | None:
    """What a scan of all layers keeps: the embeddings, and next to them one float16 a unit and image of maxima."""
    try:
        layers = services.checkpoints.open(checkpoint).card.layers
    except DomainError:
        return None
    return images * sum(4 * layer.units for layer in layers)


def looked_json(looked: Looked) -> dict[str, object]:
    """The preview as numbers; the pictures are for the page."""
    found = looked.preview
    return {
        "images": found.images,
        "complete": found.whole,
        "folders": found.folders,
        "left_out": found.left_out,
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
