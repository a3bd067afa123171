"""What is truly in an image, as JSON."""

from typing import Any

from fastapi import APIRouter

from app.deps import RowPath, ServicesDep, SettingsDep, box_from_text
from app.routes.galleries.routes import image_links
from app.routes.queries import BoxQuery, LinesQuery, lines_from_text
from app.services.galleries.truth import TILES, TruthGrid
from app.web.responses import Json
from models.countables.truth import TruthCounts

router = APIRouter()


def counts_json(counts: TruthCounts) -> dict[str, Any]:
    """Both counts of each kind: of objects that are present, and of objects by the share of them that is visible."""
    return {"present": counts.present, "fractional": {kind: float(n) for kind, n in counts.fractional.items()}}


def tiles_json(grid: TruthGrid) -> list[dict[str, Any]]:
    """The four tiles of a grid, row by row."""
    x, y, right, bottom = grid.x, grid.y, float(grid.width), float(grid.height)
    boxes = ((0.0, 0.0, x, y), (x, 0.0, right, y), (0.0, y, x, bottom), (x, y, right, bottom))
    return [
        {
            "tile": name,
            "box": list(box),
            "present": {line.kind: line.present[index] for line in grid.lines},
            "fractional": {line.kind: float(line.fractional[index]) for line in grid.lines},
        }
        for index, (name, box) in enumerate(zip(TILES, boxes, strict=True), start=1)
    ]


def grid_json(grid: TruthGrid) -> dict[str, Any]:
    """The image, the place of the two lines, and what the tiles between them contain."""
    return {
        "gallery": grid.gallery,
        "row": grid.row,
        "width": grid.width,
        "height": grid.height,
        "made": "annotated" if grid.annotated else "drawn",
        "scene": grid.scene,
        "lines": [grid.x, grid.y],
        "tiles": tiles_json(grid),
    }


@router.get("/api/galleries/{gallery}/images/{row}/truth")
def show_truth(
    gallery: str,
    row: RowPath,
    services: ServicesDep,
    settings: SettingsDep,
    box: BoxQuery = None,
    lines: LinesQuery = None,
    objects: bool = True,
) -> Json:
    """The objects of an image, how many of each kind are in a region, and how many in each of four tiles."""
    region, grid = box_from_text(box), services.truth.grid(gallery, row, lines_from_text(lines))
    counted = counts_json(services.truth.count(gallery, row, region))
    found = {**grid_json(grid), "box": region, **counted, "links": image_links(gallery, row, settings)}
    return Json({**found, "objects": services.truth.truth(gallery, row)["objects"]} if objects else found)
