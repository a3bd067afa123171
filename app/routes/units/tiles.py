"""Units in a grid, as pages show them: crops of their top images, and the addresses of their own pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field

from app.deps import MAX_ID
from app.routes.crops import Shot, shot
from app.services.galleries.seen import Which
from app.services.units.service import Sort, UnitSummary
from app.settings import Settings
from app.web.formats import number, percent

CROP = 72  # size of a crop in a grid, pixels
FAINT = "; its mean is below a thousandth of the layer's largest"


class UnitParams(BaseModel):
    """The parameters of a unit's page.

    `k` is the number of top images; `heat` and `smooth` show heat maps; `per_source` takes one image of each source;
    `seed` chooses the random images; `sort` is the order in which the page leads from unit to unit.
    """

    model_config = ConfigDict(extra="ignore")

    k: int = Field(12, ge=1, le=1000)
    heat: bool = False
    smooth: bool = False
    per_source: bool = True
    seen: Which = "unseen"
    sort: Sort = "unit"
    seed: int = Field(0, ge=0, le=MAX_ID)
    at: int | None = Field(None, ge=0, le=MAX_ID)  # the step of the training to show


@dataclass(frozen=True)
class UnitTile:
    """A unit in a grid with crops of its top images; `note` says why it is listed, `hint` explains the note."""

    unit: int
    href: str
    shots: tuple[Shot, ...]
    dead: bool
    note: str
    hint: str = ""


def unit_tile(
    settings: Settings,
    scan: str,
    layer: str,
    gallery: str,
    item: UnitSummary,
    params: UnitParams,
    *,
    count: int,
    note: str = "",
) -> UnitTile:
    """The tile of a unit; without a note it says how strongly and how often the unit fires."""
    href = unit_address(settings, scan, layer, item.unit, params)
    firing = [image for image in item.top[:count] if image.value > 0]
    shots = tuple(shot(gallery, image, settings, shown=CROP) for image in firing)
    found = item.statistics
    if note or found.dead:
        return UnitTile(item.unit, href, shots, found.dead, note or "dead")
    words = f"{number(found.max)} · {percent(found.share_active)}" + ("" if found.active else " · not active")
    hint = "largest value, and share of the images above zero" + ("" if found.active else FAINT)
    return UnitTile(item.unit, href, shots, found.dead, words, hint)


def unit_address(
    settings: Settings,
    scan: str,
    layer: str,
    unit: int,
    params: UnitParams,
    changes: Mapping[str, object] | None = None,
) -> str:
    """The address of a unit's page, with the parameters that differ from their defaults."""
    usual = UnitParams()
    kept = {**params.model_dump(), **(changes or {})}
    given = {
        name: int(value) if isinstance(value, bool) else value
        for name, value in kept.items()
        if value is not None and value != getattr(usual, name)
    }
    path = settings.url(f"/scans/{scan}/units/{layer}/{unit}")
    return f"{path}?{urlencode(given)}" if given else path
