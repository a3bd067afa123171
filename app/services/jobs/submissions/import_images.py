"""Checks the submission of an import: its source, whether the server may read it, and the gallery's row."""

import os
import stat
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.failures import BadQuery, Conflict, Forbidden, NotFound
from app.jobs.spec import Output
from app.services.jobs.submissions.prepared import PreparedJob
from app.services.server_paths import allowed
from app.services.slugs import slug_of
from app.settings import Settings
from app.store.engine import Store
from app.store.tables import GalleryRow, JobRow
from models.galleries.manifest_tables import BadManifest
from models.galleries.manifests import check_manifest

MAX_PATH = 4096
UPLOADS = "inputs"  # folder of the workspace where uploaded files wait for their import


class _StrictSource(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FolderFrom(_StrictSource):
    """A folder of images: flat, nested or with class folders."""

    kind: Literal["folder"]
    path: str = Field(max_length=MAX_PATH, description="absolute path on the server, below TESSERA_ROOTS")
    labels: Literal["auto", "folders", "none"] = "auto"


class ManifestFrom(_StrictSource):
    """A CSV or Parquet file with a column `path`, relative to the file, and optionally label, split, counts, source."""

    kind: Literal["manifest"]
    path: str = Field(max_length=MAX_PATH, description="absolute path on the server, below TESSERA_ROOTS")


class SampleFrom(_StrictSource):
    """The built-in sample: about 600 crops of scikit-image's natural photos."""

    kind: Literal["sample"]


class CountablesFrom(_StrictSource):
    """Generated scenes of things to count, with their truth; the two splits draw their seeds from separate streams."""

    kind: Literal["countables"]
    seed: StrictInt = Field(0, ge=0, lt=1 << 20)
    scenes: StrictInt = Field(1400, ge=0, le=100_000, description="mixed scenes")
    sweeps: StrictBool = Field(True, description="600 more scenes in which one factor moves at a time")
    split: Literal["train", "test", "both"] = Field("both", description="which grounds, coins and colourings to use")

    @model_validator(mode="after")
    def not_empty(self) -> Self:
        """Refuse a source without any scenes."""
        if not self.scenes and not self.sweeps:
            raise PydanticCustomError("no_scenes", "Ask for mixed scenes, for sweeps, or for both")
        return self


class UploadFrom(_StrictSource):
    """Files that are uploaded to `/images` afterwards; `batch` names files that the server has received already."""

    kind: Literal["upload"]
    batch: str | None = Field(None, pattern=r"^[0-9a-f]{32}$")


GallerySource = Annotated[
    FolderFrom | ManifestFrom | SampleFrom | CountablesFrom | UploadFrom, Field(discriminator="kind")
]


class NewGallery(_StrictSource):
    """A gallery to be made."""

    name: str = Field(min_length=1, max_length=100)
    source: GallerySource


class MoreImagesSpec(_StrictSource):
    """Images to be added to a gallery that exists; `gallery` is its slug."""

    gallery: str = Field(min_length=1, max_length=120)
    source: GallerySource


_NEW: TypeAdapter[NewGallery] = TypeAdapter(NewGallery)
_GROWTH: TypeAdapter[MoreImagesSpec] = TypeAdapter(MoreImagesSpec)


def prepare(store: Store, settings: Settings, spec: dict[str, Any]) -> PreparedJob:
    """Check the spec of an import: `{"name", "source"}` makes a gallery, `{"gallery", "source"}` adds to one."""
    try:
        if "gallery" in spec:
            return _grow(store, settings, _GROWTH.validate_python(spec))
        return _create(settings, _NEW.validate_python(spec))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise BadQuery("invalid_value", f"`{name}`: {first['msg']}.", {"field": name}) from None


def _create(settings: Settings, new: NewGallery) -> PreparedJob:
    slug = slug_of(new.name, noun="gallery")
    source = checked(settings, new.source)

    def register(session: Session, job_id: int, output: Output) -> None:
        if session.scalar(select(GalleryRow.id).where(GalleryRow.slug == slug)) is not None:
            raise Conflict("gallery_exists", f"There is a gallery {slug} already. Choose another name, or add to it.")
        row = GalleryRow(slug=slug, name=new.name.strip(), folder=output.path, job_id=job_id)
        row.source = source.model_dump(exclude_none=True)
        session.add(row)

    return PreparedJob(
        spec={"name": new.name.strip(), "source": _public(source)},
        fingerprints=_fingerprints(source),
        slug=slug,
        path=f"galleries/{slug}",
        inputs=_inputs(settings, slug, source),
        keep_slug=True,
        on_submit=register,
    )


def _grow(store: Store, settings: Settings, growth: MoreImagesSpec) -> PreparedJob:
    source = checked(settings, growth.source)
    with store.read() as session:
        row = session.scalar(select(GalleryRow).where(GalleryRow.slug == growth.gallery))
        job = None if row is None or row.job_id is None else session.get(JobRow, row.job_id)
    if row is None:
        raise NotFound("unknown_gallery", f"There is no gallery {growth.gallery[:100]!r}.")

    def take_over(session: Session, job_id: int, _output: Output) -> None:
        held = session.scalar(select(GalleryRow).where(GalleryRow.slug == growth.gallery))
        if held is not None:
            held.job_id = job_id

    return PreparedJob(
        spec={"gallery": row.slug, "source": _public(source)},
        fingerprints=_fingerprints(source),
        slug=row.slug,
        path=row.folder,
        inputs=_inputs(settings, row.slug, source),
        needs=() if job is None or job.state == "done" else (job.id,),  # rows of two imports must not interleave
        keep_slug=True,
        on_submit=take_over,
    )


def checked(settings: Settings, source: GallerySource) -> GallerySource:
    """The source with its path resolved. Raises Forbidden outside the roots, BadQuery where it cannot be imported."""
    match source:
        case FolderFrom():
            return source.model_copy(update={"path": str(_folder(settings, source.path))})
        case ManifestFrom():
            return source.model_copy(update={"path": str(_manifest(settings, source.path))})
        case _:
            return source


def batch_folder(settings: Settings, slug: str, batch: str) -> Path:
    """The folder in which the uploaded files of one request wait for their import."""
    return settings.workspace / UPLOADS / f"{slug}-{batch}"


def _public(source: GallerySource) -> dict[str, Any]:
    """The source as a job shows it: without its path on this machine, which is among the job's inputs."""
    return source.model_dump(exclude_none=True, exclude={"path"})


def _fingerprints(source: GallerySource) -> dict[str, str]:
    return {"path": source.path} if isinstance(source, FolderFrom | ManifestFrom) else {}


def _inputs(settings: Settings, slug: str, source: GallerySource) -> dict[str, str]:
    match source:
        case FolderFrom():
            return {"source": source.path}
        case ManifestFrom():
            return {"source": source.path} | {f"root{n}": str(root) for n, root in enumerate(settings.roots)}
        case UploadFrom(batch=str() as batch):
            folder = batch_folder(settings, slug, batch)
            if not folder.is_dir():
                raise BadQuery("unknown_batch", "No files were received under this name; upload them.")
            return {"source": str(folder.relative_to(settings.workspace))}
        case _:
            return {}


def _folder(settings: Settings, path: str) -> Path:
    place = allowed(settings, path, "not_a_directory", "an absolute path of a folder on the server")
    if not place.is_dir():
        raise BadQuery("not_a_directory", "There is no folder at this path.")
    if not os.access(place, os.R_OK | os.X_OK):
        raise Forbidden("no_permission", "The server may not read this folder.")
    return place


def _manifest(settings: Settings, path: str) -> Path:
    place = allowed(settings, path, "not_a_file", "an absolute path of a CSV or Parquet file on the server")
    try:
        regular = stat.S_ISREG(place.stat().st_mode)
    except OSError:
        regular = False
    if not regular:
        raise BadQuery("not_a_file", "There is no file at this path.")
    try:
        check_manifest(place)
    except BadManifest as error:
        raise BadQuery(error.code, str(error)) from error
    return place
