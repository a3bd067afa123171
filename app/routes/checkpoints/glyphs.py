"""HOG glyphs of an image: the page and its JSON twin."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from app.deps import MAX_ID, ServicesDep, SettingsDep
from app.opened import CheckpointDep
from app.services.checkpoints.service import OpenCheckpoint
from app.services.filters.descriptors import glyph
from app.services.galleries.service import GalleryRecord
from app.services.services import Services
from app.web.frame import PageContext
from app.web.glyphs import glyph_svg
from app.web.responses import Json
from app.web.templating import page

router = APIRouter()
WHAT = "What HOG keeps of a photo: how strong edges of"


@dataclass(frozen=True)
class Shown:
    """An image of a gallery and its glyphs; `before` and `after` are the rows beside it, empty at the ends."""

    gallery: str
    row: int
    last: int
    src: str
    alt: str
    drawn: Markup
    twin: str
    before: str
    after: str


@dataclass(frozen=True)
class GlyphsContext(PageContext):
    """HOG glyphs of an image; nothing is shown where no gallery has images."""

    template: ClassVar[str] = "glyphs.html"
    name: str
    checkpoint_page: str
    here: str
    lead: str
    galleries: list[str]
    shown: Shown | None


GalleryQuery = Annotated[str, Query(max_length=200)]
RowQuery = Annotated[int, Query(ge=0, le=MAX_ID)]


@router.get("/api/checkpoints/{checkpoint}/glyphs")
def glyphs(
    checkpoint: CheckpointDep, gallery: GalleryQuery, services: ServicesDep, settings: SettingsDep, row: RowQuery = 0
) -> Json:
    """How strong each gradient orientation is in each cell of an image: (cells, cells, orientations over 180°)."""
    found = glyph(checkpoint, gallery, services.galleries.pack(gallery), row)
    here = f"/checkpoints/{checkpoint.slug}/glyphs?gallery={gallery}&row={row}"
    strengths = [[[round(float(value), 5) for value in cell] for cell in line] for line in found.strengths]
    links = {"page": settings.url(here), "image": settings.url(f"/api/galleries/{gallery}/images/{row}/image")}
    return Json({"gallery": gallery, "row": row, "box": list(found.box), "strengths": strengths, "links": links})


@router.get("/checkpoints/{checkpoint}/glyphs", include_in_schema=False)
def glyphs_page(
    request: Request,
    checkpoint: CheckpointDep,
    services: ServicesDep,
    gallery: GalleryQuery | None = None,
    row: RowQuery = 0,
) -> HTMLResponse:
    return page(request, _context(services, checkpoint, gallery, row))


def _context(services: Services, checkpoint: OpenCheckpoint, gallery: str | None, row: int) -> GlyphsContext:
    settings, record, encoder = services.settings, checkpoint.record, checkpoint.card.encoder
    here = settings.url(f"/checkpoints/{record.slug}/glyphs")
    filled = [item for item in services.galleries.list(limit=100).galleries if item.rows]
    chosen = services.galleries.get(gallery) if gallery else next(iter(filled), None)
    cells = f"in cells of {encoder.get('cell')} px of a gray square of {encoder.get('side')} px"
    lead = f"{WHAT} {encoder.get('orientations')} orientations are, {cells}. Nothing was learned."
    shown = None if chosen is None else _shown(services, checkpoint, chosen, row, here)
    return GlyphsContext(
        name=record.name,
        checkpoint_page=settings.url(f"/checkpoints/{record.slug}"),
        here=here,
        lead=lead,
        galleries=[item.slug for item in filled],
        shown=shown,
    )


def _shown(services: Services, checkpoint: OpenCheckpoint, gallery: GalleryRecord, row: int, here: str) -> Shown:
    pack, settings = services.galleries.open(gallery), services.settings
    found = glyph(checkpoint, gallery.slug, pack, row)
    known, query = pack.row(row), f"?gallery={gallery.slug}&row="
    return Shown(
        gallery=gallery.slug,
        row=row,
        last=gallery.rows - 1,
        src=settings.url(f"/api/galleries/{gallery.slug}/images/{row}/image"),
        alt=known.label or known.path,
        drawn=glyph_svg(found.strengths, f"oriented edges of row {row}"),
        twin=settings.url(f"/api/checkpoints/{checkpoint.slug}/glyphs{query}{row}"),
        before=f"{here}{query}{row - 1}" if row > 0 else "",
        after=f"{here}{query}{row + 1}" if row < gallery.rows - 1 else "",
    )
