"""What the page of one unit shows: the variables of unit.html, and how its links are made."""

from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from app.routes.crops import Shot
from app.routes.units.tiles import UnitParams, UnitTile, unit_address
from app.services.galleries.seen import Seen
from app.services.scans.service import OpenScan, ScanRecord
from app.services.units.service import UnitDetail
from app.settings import Settings
from app.web.choices import Choice
from app.web.frame import PageContext

Facts = list[tuple[str, str]]


@dataclass(frozen=True)
class UnitShot:
    """An image of the unit: its heat map where maps are shown, its neighbours, and what the crop beside it shows."""

    shot: Shot
    heat: str
    search: str
    crop: str


@dataclass(frozen=True)
class RowView:
    """Some images of a unit's range: what they are, the rule they were chosen by, and what can be done about it."""

    title: str
    rule: str
    shots: list[UnitShot]
    again: str = ""


@dataclass(frozen=True)
class BestImages:
    """The images that fire the unit most, and how they are shown; `all_of_them` where there are more."""

    note: str
    shots: list[UnitShot]
    heat: list[Choice]
    sources: list[Choice]
    all_of_them: str
    firing: int
    scale: str
    field: str
    region: str

    @property
    def has_tools(self) -> bool:
        return bool(self.heat or self.sources or self.all_of_them)


@dataclass(frozen=True)
class GrownImageTile:
    """An image that fired the unit at a step."""

    row: int
    href: str
    src: str
    value: str


@dataclass(frozen=True)
class GrowthSlider:
    """The unit at one of the steps that were kept; `knn` is the accuracy of its layer then, empty where not known."""

    note: str
    steps: list[Choice]
    images: list[GrownImageTile]
    knn: str
    interval: str
    knn_images: str
    chance: str


@dataclass(frozen=True)
class UnitContext(PageContext):
    """One unit. `grid` is the page of its layer in the same order, `before` and `after` its neighbours there."""

    template: ClassVar[str] = "unit.html"
    record: ScanRecord
    others: list[tuple[str, str]]
    unit: int
    layer: str
    address: str
    badge: tuple[str, str]
    scan_page: str
    grid: str
    layer_page: str
    twin: str
    before: tuple[int, str] | None
    after: tuple[int, str] | None
    fires_on: str
    place: str
    seen: Seen
    only_unseen: bool
    all_rows: str
    unseen_rows: str
    uncovered: str
    best: BestImages
    growth: GrowthSlider | None
    can_grow: bool
    rows: list[RowView]
    values: Facts
    chart: Markup
    top: int
    overlap_note: str
    overlapping: list[UnitTile]
    similar: list[UnitTile]
    heat: bool


@dataclass(frozen=True)
class UnitView:
    """One unit of a scan, and how its links are made."""

    scan: OpenScan
    found: UnitDetail
    params: UnitParams
    settings: Settings

    @property
    def maps(self) -> bool:
        """Whether the layer has maps, so that images have heat maps and boxes."""
        return self.found.layer.kind == "conv"

    def link(self, **changes: object) -> str:
        """This page with one thing changed."""
        found = self.found
        return unit_address(self.settings, found.scan, found.layer.name, found.unit, self.params, changes)

    def other(self, unit: int | None) -> tuple[int, str] | None:
        """Another unit with the same page of it; None where there is none."""
        if unit is None:
            return None
        found = self.found
        return unit, unit_address(self.settings, found.scan, found.layer.name, unit, self.params)

    def shot(self, image: Shot) -> UnitShot:
        """An image with where it leads."""
        found, row = self.found, image.row
        heat = ""
        if self.maps and self.params.heat:
            path = f"/api/scans/{found.scan}/units/{found.layer.name}/{found.unit}/heatmap.png"
            heat = f"{self.settings.url(path)}?row={row}" + ("&smooth=1" if self.params.smooth else "")
        search = f"{self.settings.url(f'/scans/{found.scan}/search')}?row={row}&layer={found.layer.name}"
        saw = "the network saw" if found.layer.on_trunk else "the counting path saw"
        return UnitShot(image, heat, search, f"what {'the firing cell sees' if self.maps else saw} of row {row}")
