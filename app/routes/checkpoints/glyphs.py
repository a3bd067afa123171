"""HOG glyphs of an image: the page and its JSON twin."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from app.deps import MAX_ID, ServicesDep, SettingsDep
from app.web.glyphs import glyph_svg
from app.web.responses import Json
from app.web.templating import page

router = APIRouter()

GalleryQuery = Annotated[str, Query(max_length=200)]
RowQuery = Annotated[int, Query(ge=0, le=MAX_ID)]


@router.get("/api/checkpoints/{checkpoint}/glyphs")
def glyphs(
    checkpoint: str, gallery: GalleryQuery, services: ServicesDep, settings: SettingsDep, row: RowQuery = 0
) -> Json:
    """How strong each gradient orientation is in each cell of an image: (cells, cells, orientations over 180°)."""
    found = services.descriptors.glyph(checkpoint, gallery, row)
    here = f"/checkpoints/{checkpoint}/glyphs?gallery={gallery}&row={row}"
    strengths = [[[round(float(value), 5) for value in cell] for cell in line] for line in found.strengths]
    links = {"page": settings.url(here), "image": settings.url(f"/api/galleries/{gallery}/images/{row}/image")}
    return Json({"gallery": gallery, "row": row, "box": list(found.box), "strengths": strengths, "links": links})


@router.get("/checkpoints/{checkpoint}/glyphs", include_in_schema=False)
def glyphs_page(
    request: Request, checkpoint: str, services: ServicesDep, gallery: GalleryQuery | None = None, row: RowQuery = 0
) -> HTMLResponse:
    record = services.checkpoints.get(checkpoint)
    filled = services.galleries.filled()
    chosen = gallery or (filled[0].slug if filled else None)
    found = None if chosen is None else services.descriptors.glyph(checkpoint, chosen, row)
    known = None if found is None else services.galleries.image(found.gallery, row)
    last = 0 if found is None else services.galleries.get(found.gallery).rows - 1
    drawn = None if found is None else glyph_svg(found.strengths, f"oriented edges of row {row}")
    card = services.checkpoints.read_card(record)
    context = {"found": found, "known": known, "drawn": drawn, "galleries": filled, "last": last}
    return page(request, "glyphs.html", record=record, card=card, view=context)
