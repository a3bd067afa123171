"""Pages of galleries: the list with import forms, one gallery, one image, files left out; and forms that start jobs."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import TypeAdapter, ValidationError

from app.deps import LimitQuery, RowPath, ServicesDep, SettingsDep
from app.failures import BadQuery, DomainError
from app.routes.galleries.gallery_page import gallery_context
from app.routes.galleries.image_page import image_context
from app.routes.galleries.import_preview import Looked, PreviewParams, look
from app.routes.galleries.list_page import galleries_context, skipped_context
from app.routes.galleries.view import PAGE, Filter, Size
from app.routes.queries import LinesQuery, lines_from_text
from app.services.galleries.service import Submitted
from app.services.jobs.submissions.import_images import UPLOADS, GallerySource, NewGallery, UploadFrom
from app.services.services import Services
from app.services.training.form import TASK, scan_after, start_training, train_spec
from app.settings import Settings
from app.web.receiving import Received, receive
from app.web.templating import page

router = APIRouter(include_in_schema=False)

TaskQuery = Annotated[str, Query(max_length=40)]
CursorQuery = Annotated[str | None, Query(max_length=64)]
FacetQuery = Annotated[str | None, Query(max_length=1000)]
SOURCE_FIELDS = ("kind", "path", "labels", "seed", "scenes", "sweeps", "split")
_SOURCE: TypeAdapter[GallerySource] = TypeAdapter(GallerySource)


@dataclass(frozen=True)
class GalleryForm:
    """An import form as it was sent: its fields, and its files if it had some."""

    fields: dict[str, str] = field(default_factory=dict)
    received: Received | None = None

    @property
    def source(self) -> GallerySource:
        """What to import from. Raises BadQuery."""
        if self.received is not None:
            return UploadFrom(kind="upload")
        given = {name: value for name, value in self.fields.items() if name in SOURCE_FIELDS}
        try:
            return _SOURCE.validate_strings(given)
        except ValidationError:
            raise BadQuery("invalid_value", "Choose what to import, and give its path.") from None

    @property
    def new(self) -> NewGallery:
        """The gallery to make; without a name it takes that of the folder or file. Raises BadQuery."""
        path = self.fields.get("path", "").rstrip("/")
        name = self.fields.get("name", "").strip() or path.rsplit("/", 1)[-1].removesuffix(".csv")
        if not name:
            raise BadQuery("bad_name", "Give the gallery a name.")
        return NewGallery(name=name[:100], source=self.source)


async def gallery_form(request: Request, services: ServicesDep) -> AsyncIterator[GalleryForm]:
    """The form, urlencoded or multipart; files that no import has taken over are removed afterwards."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        form = await request.form(max_files=0, max_fields=50)
        yield GalleryForm({name: value for name, value in form.items() if isinstance(value, str)})
        return
    received = await receive(request, services.settings.workspace / UPLOADS)
    try:
        yield GalleryForm(dict(received.fields), received)
    finally:
        received.discard()


FormDep = Annotated[GalleryForm, Depends(gallery_form)]


def _filter(
    gallery: str, settings: SettingsDep, label: FacetQuery = None, split: FacetQuery = None, size: Size = "medium"
) -> Filter:
    return Filter(settings.url(f"/galleries/{gallery}"), label or None, split or None, size)


FilterDep = Annotated[Filter, Depends(_filter)]


def _list_page(
    request: Request,
    services: Services,
    settings: Settings,
    *,
    cursor: str | None = None,
    limit: int = 24,
    error: DomainError | None = None,
    form: GalleryForm | None = None,
    looked: Looked | None = None,
) -> HTMLResponse:
    found = services.galleries.list(limit=limit, cursor=cursor)
    context = galleries_context(
        services,
        settings,
        found,
        cursor=cursor,
        error="" if error is None else error.message,
        given=form.fields if form else {},
        looked=looked,
    )
    return page(request, context, status=200 if error is None else error.status)


@router.get("/galleries")
def galleries_page(
    request: Request,
    services: ServicesDep,
    settings: SettingsDep,
    asked: Annotated[PreviewParams, Query()],
    limit: LimitQuery = 24,
    cursor: CursorQuery = None,
) -> HTMLResponse:
    if not asked.path:
        return _list_page(request, services, settings, cursor=cursor, limit=limit)
    form = GalleryForm(asked.fields)
    try:
        looked = look(services, form.source)
    except DomainError as error:
        return _list_page(request, services, settings, error=error, form=form)
    return _list_page(request, services, settings, form=form, looked=looked)


@router.post("/galleries", response_model=None)
def create_from_form(
    request: Request, form: FormDep, services: ServicesDep, settings: SettingsDep
) -> HTMLResponse | RedirectResponse:
    try:
        submitted = _create(services, form)
    except DomainError as error:
        return _list_page(request, services, settings, error=error, form=form)
    return RedirectResponse(settings.url(f"/galleries/{submitted.gallery.slug}"), status_code=303)


def _create(services: Services, form: GalleryForm) -> Submitted:
    if form.received is not None and form.received.files == 0:
        raise BadQuery("no_files", "Choose at least one file.")
    checkpoint = form.fields.get("then_scan")
    if checkpoint:  # an unknown one is refused before anything is imported
        services.jobs.expect_checkpoint(checkpoint)
    submitted = services.galleries.create(form.new)
    if form.received is not None:
        submitted = services.galleries.add_files(submitted.gallery.slug, form.received.folder, form.received.batch)
    if checkpoint:  # the queue lets the scan wait for the import
        services.jobs.submit("scan", {"checkpoint": checkpoint, "gallery": submitted.gallery.slug})
    return submitted


def _gallery_page(
    request: Request,
    gallery: str,
    services: Services,
    view: Filter,
    *,
    cursor: str | None = None,
    limit: int = PAGE,
    error: DomainError | None = None,
    form: GalleryForm | None = None,
    task: str = TASK,
) -> HTMLResponse:
    context = gallery_context(
        services,
        services.galleries.get(gallery),
        view,
        cursor=cursor,
        limit=limit,
        error="" if error is None else error.message,
        given=form.fields if form else {},
        task=task,
    )
    return page(request, context, status=200 if error is None else error.status)


@router.get("/galleries/{gallery}")
def gallery_page(
    request: Request,
    gallery: str,
    services: ServicesDep,
    view: FilterDep,
    limit: LimitQuery = PAGE,
    cursor: CursorQuery = None,
    task: TaskQuery = TASK,
) -> HTMLResponse:
    return _gallery_page(request, gallery, services, view, cursor=cursor, limit=limit, task=task)


@router.post("/galleries/{gallery}/images", response_model=None)
def add_from_form(
    request: Request, gallery: str, form: FormDep, services: ServicesDep, settings: SettingsDep, view: FilterDep
) -> HTMLResponse | RedirectResponse:
    try:
        _add(services, gallery, form)
    except DomainError as error:
        return _gallery_page(request, gallery, services, view, error=error, form=form)
    return RedirectResponse(settings.url(f"/galleries/{gallery}"), status_code=303)


def _add(services: Services, gallery: str, form: GalleryForm) -> Submitted:
    if form.received is None:
        return services.galleries.add(gallery, form.source)
    if form.received.files == 0:
        raise BadQuery("no_files", "Choose at least one file.")
    return services.galleries.add_files(gallery, form.received.folder, form.received.batch)


@router.post("/galleries/{gallery}/train", response_model=None)
def train_from_form(
    request: Request, gallery: str, form: FormDep, services: ServicesDep, settings: SettingsDep, view: FilterDep
) -> HTMLResponse | RedirectResponse:
    try:
        spec = train_spec({**form.fields, "gallery": gallery})
        job = start_training(services, spec, scan_after(form.fields, gallery))
    except DomainError as error:
        return _gallery_page(request, gallery, services, view, error=error, form=form)
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)


@router.post("/galleries/{gallery}/scan", response_model=None)
def scan_from_form(
    request: Request, gallery: str, form: FormDep, services: ServicesDep, settings: SettingsDep, view: FilterDep
) -> HTMLResponse | RedirectResponse:
    try:
        job, _ = services.jobs.submit("scan", {"checkpoint": form.fields.get("checkpoint", ""), "gallery": gallery})
    except DomainError as error:
        return _gallery_page(request, gallery, services, view, error=error, form=form)
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)


@router.get("/galleries/{gallery}/skipped")
def skipped_page(
    request: Request,
    gallery: str,
    services: ServicesDep,
    settings: SettingsDep,
    limit: LimitQuery = 100,
    cursor: CursorQuery = None,
) -> HTMLResponse:
    record, found = services.galleries.get(gallery), services.galleries.skipped(gallery, limit=limit, cursor=cursor)
    return page(request, skipped_context(record, found, settings, cursor=cursor))


@router.get("/galleries/{gallery}/images/{row}")
def image_page(
    request: Request, gallery: str, row: RowPath, services: ServicesDep, view: FilterDep, lines: LinesQuery = None
) -> HTMLResponse:
    return page(request, image_context(services, gallery, row, view, lines_from_text(lines)))
