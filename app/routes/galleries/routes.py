"""JSON addresses of galleries: the list, the images of each, imports."""

import hashlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, ValidationError

from app.deps import LimitQuery, RowPath, ServicesDep, SettingsDep, parse_json
from app.failures import BadQuery
from app.routes.galleries import import_preview
from app.routes.galleries import page_routes as gallery_pages
from app.routes.jobs.routes import job_json
from app.routes.pictures import ImageAddress
from app.services.galleries.service import GalleryRecord, Submitted
from app.services.jobs.submissions.import_images import UPLOADS, GallerySource, NewGallery
from app.services.services import Services
from app.settings import Settings
from app.web.json_times import rfc3339
from app.web.receiving import Received, receive
from app.web.responses import Documented, Json, answers
from models.galleries.packs import PackRow

router = APIRouter()
router.include_router(import_preview.router)
router.include_router(gallery_pages.router)

CursorQuery = Annotated[str | None, Query(max_length=64)]
FacetQuery = Annotated[str | None, Query(max_length=1000)]
SAME: Documented = {200: {"description": "the same was asked for before: its gallery and its job"}}
IMMUTABLE = "private, max-age=31536000, immutable"  # rows never renumber, and what a row shows never changes


class MoreImages(BaseModel):
    """Images to add from a source on the server."""

    model_config = ConfigDict(extra="forbid")

    source: GallerySource


def gallery_links(gallery: GalleryRecord, settings: Settings) -> dict[str, str]:
    """The addresses that belong to a gallery."""
    here = f"/api/galleries/{gallery.slug}"
    found = {
        "self": settings.url(here),
        "page": settings.url(f"/galleries/{gallery.slug}"),
        "images": settings.url(f"{here}/images"),
        "skipped": settings.url(f"{here}/skipped"),
    }
    if gallery.job_id is not None:
        found["job"] = settings.url(f"/api/jobs/{gallery.job_id}")
    return found


def gallery_json(gallery: GalleryRecord, settings: Settings) -> dict[str, object]:
    """A gallery as lists show it; of its source only the kind, because paths of the server are private."""
    return {
        "slug": gallery.slug,
        "name": gallery.name,
        "source": {key: value for key, value in gallery.source.items() if key in ("kind", "labels")},
        "rows": gallery.rows,
        "skipped": gallery.skipped,
        "created_at": rfc3339(gallery.created_at),
        "links": gallery_links(gallery, settings),
    }


def image_links(slug: str, row: int, settings: Settings) -> dict[str, str]:
    """The addresses that belong to an image of a gallery."""
    at = ImageAddress(settings, slug, row)
    return {
        "self": at.json,
        "page": at.page,
        "gallery": settings.url(f"/api/galleries/{slug}"),
        "image": at.image,
        "thumbnail": at.thumbnail,
    }


def image_json(slug: str, row: int, known: PackRow, settings: Settings) -> dict[str, object]:
    """An image; `width` and `height` are the upright source's, `stored` those of the JPEG that boxes refer to."""
    return {
        "row": row,
        "path": known.path,
        "label": known.label,
        "split": known.split,
        "counts": None if known.counts is None else dict(known.counts),
        "source": known.source,
        "width": known.width,
        "height": known.height,
        "stored": {"width": known.jpeg_width, "height": known.jpeg_height},
        "links": image_links(slug, row, settings),
    }


def _submitted(submitted: Submitted, settings: Settings) -> Json:
    content = {
        "gallery": gallery_json(submitted.gallery, settings),
        "job": job_json(submitted.job, settings),
    }
    return Json(content, 202 if submitted.created else 200)


@router.get("/api/galleries")
def list_galleries(
    services: ServicesDep, settings: SettingsDep, limit: LimitQuery = 50, cursor: CursorQuery = None
) -> Json:
    """Galleries of the workspace, newest first."""
    found = services.galleries.list(limit=limit, cursor=cursor)
    return Json({"galleries": [gallery_json(gallery, settings) for gallery in found.galleries], "next": found.next})


@router.post("/api/galleries", status_code=202, responses=SAME)
def create_gallery(new: NewGallery, services: ServicesDep, settings: SettingsDep) -> Json:
    """Make a gallery and the job that fills it; 200 with the existing ones for the same name and source."""
    return _submitted(services.galleries.create(new), settings)


@router.get("/api/galleries/{gallery}")
def show_gallery(gallery: str, services: ServicesDep, settings: SettingsDep) -> Json:
    """A gallery with its labels and splits."""
    record = services.galleries.get(gallery)
    facets = services.galleries.facets(gallery)
    return Json({**gallery_json(record, settings), "labels": facets.labels, "splits": facets.splits})


@router.get("/api/galleries/{gallery}/skipped")
def list_skipped(gallery: str, services: ServicesDep, limit: LimitQuery = 50, cursor: CursorQuery = None) -> Json:
    """Files that were left out, and why."""
    found = services.galleries.skipped(gallery, limit=limit, cursor=cursor)
    return Json({"skipped": [vars(file) for file in found.files], "next": found.next})


@router.get("/api/galleries/{gallery}/images")
def list_images(
    gallery: str,
    services: ServicesDep,
    settings: SettingsDep,
    limit: LimitQuery = 50,
    cursor: CursorQuery = None,
    label: FacetQuery = None,
    split: FacetQuery = None,
) -> Json:
    """Images by row; with `label` or `split` only those."""
    found = services.galleries.images(gallery, limit=limit, cursor=cursor, label=label, split=split)
    images = [image_json(gallery, row, known, settings) for row, known in found.images]
    return Json({"images": images, "next": found.next, "total": found.total})


@router.get("/api/galleries/{gallery}/images/{row}")
def show_image(gallery: str, row: RowPath, services: ServicesDep, settings: SettingsDep) -> Json:
    """What is known of one image."""
    return Json(image_json(gallery, row, services.galleries.image(gallery, row), settings))


@router.get("/api/galleries/{gallery}/images/{row}/thumbnail", response_class=Response, responses=answers("image/webp"))
def show_thumbnail(gallery: str, row: RowPath, request: Request, services: ServicesDep) -> Response:
    """The WebP thumbnail, longer side at most 128 pixels."""
    return _picture(request, services.galleries.thumbnail(gallery, row), "image/webp")


@router.get("/api/galleries/{gallery}/images/{row}/image", response_class=Response, responses=answers("image/jpeg"))
def show_picture(gallery: str, row: RowPath, request: Request, services: ServicesDep) -> Response:
    """The stored JPEG, shorter side at most 256 pixels: what networks see, and what boxes refer to."""
    return _picture(request, services.galleries.jpeg(gallery, row), "image/jpeg")


def _picture(request: Request, data: bytes, media_type: str) -> Response:
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"Cache-Control": IMMUTABLE, "ETag": tag, "X-Content-Type-Options": "nosniff"}
    known = (part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(","))
    if any(part in (tag, "*") for part in known):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)


async def more_images(gallery: str, request: Request, services: ServicesDep) -> AsyncIterator[Received | MoreImages]:
    """What to add to a gallery: multipart `files`, or JSON with a `source`; files that are not kept are removed."""
    services.galleries.get(gallery)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
        yield _source_body(parse_json(await request.body()))
        return
    received = await receive(request, services.settings.workspace / UPLOADS)
    try:
        _check_fields(received, ())
        yield received
    finally:
        received.discard()


MoreImagesDep = Annotated[Received | MoreImages, Depends(more_images)]
_FILES = {"type": "array", "items": {"type": "string", "format": "binary"}}
_MORE_OPENAPI: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"files": _FILES}, "required": ["files"]}
            },
            "application/json": {"schema": {"type": "object", "properties": {"source": {"type": "object"}}}},
        },
    }
}


def _source_body(value: object) -> MoreImages:
    try:
        return MoreImages.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise BadQuery("invalid_value", f"`{name}`: {first['msg']}.", {"field": name}) from None


def _check_fields(received: Received, allowed: tuple[str, ...]) -> None:
    unknown = sorted(set(received.fields) - set(allowed))
    if unknown:
        raise BadQuery("unknown_field", f"Unknown form field `{unknown[0][:80]}`; send `files`.")
    if received.files == 0:
        raise BadQuery("no_files", "Send at least one file, as `files`.")


def _add(services: Services, gallery: str, more: Received | MoreImages) -> Submitted:
    if isinstance(more, MoreImages):
        return services.galleries.add(gallery, more.source)
    return services.galleries.add_files(gallery, more.folder, more.batch)


@router.post("/api/galleries/{gallery}/images", status_code=202, responses=SAME, openapi_extra=_MORE_OPENAPI)
def add_images(gallery: str, more: MoreImagesDep, services: ServicesDep, settings: SettingsDep) -> Json:
    """Add images: they get the rows after those that the gallery has; no row is renumbered."""
    return _submitted(_add(services, gallery, more), settings)
