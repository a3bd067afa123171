"""HOG glyphs of an image: the page and its JSON twin."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from app.deps import MAX_ID, ServicesDep, SettingsDep
from app.opened import CheckpointDep
from app.routes.pictures import ImageAddress
from app.services.filters.descriptors import glyph
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


@router.get("/checkpoints/{checkpoint}/glyphs", include_in_schema=False)
def glyphs_page(
    request: Request,
    checkpoint: CheckpointDep,
    services: ServicesDep,
    gallery: GalleryQuery | None = None,
    row: RowQuery = 0,
) -> HTMLResponse:
    filled = services.galleries.filled()
    wanted = gallery or (filled[0].slug if filled else None)
    chosen = None if wanted is None else services.galleries.get(wanted)
    pack = None if chosen is None else services.galleries.open(chosen)
    found = None if chosen is None or pack is None else glyph(checkpoint, chosen.slug, pack, row)
    known = None if pack is None else pack.row(row)
    last = 0 if chosen is None else chosen.rows - 1
    drawn = None if found is None else glyph_svg(found.strengths, f"oriented edges of row {row}")
    context = {"found": found, "known": known, "drawn": drawn, "galleries": filled, "last": last}
    return page(request, "glyphs.html", record=checkpoint.record, card=checkpoint.card, view=context)
