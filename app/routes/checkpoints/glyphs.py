"""HOG glyphs of an image: the page and its JSON twin."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from app.deps import MAX_ID, ServicesDep, SettingsDep
from app.opened import CheckpointDep
from app.routes.pictures import ImageAddress
from app.services.checkpoints.service import OpenCheckpoint
from app.services.filters.descriptors import glyph
from app.services.services import Services
from app.web.frame import PageContext
from app.web.glyphs import glyph_svg
from app.web.responses import Json
from app.web.templating import page

router = APIRouter()

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
    links = {"page": settings.url(here), "image": ImageAddress(settings, gallery, row).image}
    return Json({"gallery": gallery, "row": row, "box": list(found.box), "strengths": strengths, "links": links})


@dataclass(frozen=True)
class GlyphView:
    """One image with its glyphs. `last` is the last row of the gallery, `drawn` the glyphs as SVG.

    `before` and `after` are the addresses of the pages of the rows beside it, empty at the ends of the gallery.
    """

    gallery: str
    row: str
    last: int
    json: str
    note: str
    src: str
    alt: str
    drawn: Markup
    before: str
    after: str


@dataclass(frozen=True)
class GlyphsContext(PageContext):
    """The page of HOG's glyphs; `glyph` is None if no gallery has images, `here` the address of the checkpoint."""

    template: ClassVar[str] = "glyphs.html"
    name: str
    here: str
    lead: str
    galleries: Sequence[str]
    glyph: GlyphView | None


@router.get("/checkpoints/{checkpoint}/glyphs", include_in_schema=False)
def glyphs_page(
    request: Request,
    checkpoint: CheckpointDep,
    services: ServicesDep,
    gallery: GalleryQuery | None = None,
    row: RowQuery = 0,
) -> HTMLResponse:
    filled = [item.slug for item in services.galleries.filled()]
    return page(request, _context(services, checkpoint, filled, gallery or next(iter(filled), None), row))


def _context(
    services: Services, checkpoint: OpenCheckpoint, filled: Sequence[str], gallery: str | None, row: int
) -> GlyphsContext:
    how = checkpoint.card.encoder
    return GlyphsContext(
        name=checkpoint.record.name,
        here=services.settings.url(f"/checkpoints/{checkpoint.slug}"),
        lead=(
            f"What HOG keeps of a photo: how strong edges of {how['orientations']} orientations are, in cells of "
            f"{how['cell']} px of a gray square of {how['side']} px. Nothing was learned."
        ),
        galleries=filled,
        glyph=None if gallery is None else _view(services, checkpoint, gallery, row),
    )


def _view(services: Services, checkpoint: OpenCheckpoint, gallery: str, row: int) -> GlyphView:
    settings, url = services.settings, services.settings.url
    chosen = services.galleries.get(gallery)
    pack = services.galleries.open(chosen)
    found, known, last = glyph(checkpoint, chosen.slug, pack, row), pack.row(row), chosen.rows - 1
    here = f"{url(f'/checkpoints/{checkpoint.slug}/glyphs')}?gallery={chosen.slug}"
    return GlyphView(
        gallery=chosen.slug,
        row=str(row),
        last=last,
        json=f"{url(f'/api/checkpoints/{checkpoint.slug}/glyphs')}?gallery={chosen.slug}&row={row}",
        note=f"row {row} of {chosen.slug}",
        src=ImageAddress(settings, chosen.slug, row).image,
        alt=known.label or known.path,
        drawn=glyph_svg(found.strengths, f"oriented edges of row {row}"),
        before=f"{here}&row={row - 1}" if row > 0 else "",
        after=f"{here}&row={row + 1}" if row < last else "",
    )
