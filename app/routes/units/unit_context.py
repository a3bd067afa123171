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
    """An image of the unit: the addresses of its heat map (empty if maps are not shown) and of its neighbours.

    `crop` says in words what the crop beside it shows.
    """

    shot: Shot
    heat: str
    search: str
    crop: str


@dataclass(frozen=True)
class RowView:
    """Some images of a unit's range: what they are, and the rule they were chosen by.

    `again` leads to another random choice, empty if they were not chosen at random.
    """

    title: str
    rule: str
    shots: list[UnitShot]
    again: str = ""


@dataclass(frozen=True)
class BestImages:
    """The images that fire the unit most.

    `heat` and `sources` are links that change how they are shown and chosen; `all_of_them` leads to all, empty if all
    are shown. `firing` is their number; `scale`, `field` and `region` explain heat maps and boxes, empty without them.
    """

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
    """An image that fired the unit at a step of the training."""

    row: int
    href: str
    src: str
    value: str


@dataclass(frozen=True)
class GrowthSlider:
    """The unit at one of the steps that the training kept.

    `knn` is the accuracy of its layer at that step with its `interval`, over `knn_images`; empty if not known.
    """

    note: str
    steps: list[Choice]
    images: list[GrownImageTile]
    knn: str
    interval: str
    knn_images: str
    chance: str


@dataclass(frozen=True)
class UnitContext(PageContext):
    """The page of one unit. `grid` is the address of its layer's page in the same order, `twin` that of the JSON.

    `before` and `after` are the number and address of the units beside it in that order. `address` names layer and
    unit; `badge` says whether it is active, with a colour; `place` says which unit of how many it is. `only_unseen`:
    rows seen in training are left out; `all_rows` and `unseen_rows` switch that. `uncovered` says how many rows the
    scan has, empty if it has all. `growth` is None without a timeline; `can_grow`: one can be made. `top` is the number
    of top images that overlaps are counted in.
    """

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
    """One unit of a scan and the parameters of its page, from which its links are made."""

    scan: OpenScan
    found: UnitDetail
    params: UnitParams
    settings: Settings

    @property
    def maps(self) -> bool:
        """Whether the layer has maps, so that images have heat maps and boxes."""
        return self.found.layer.kind == "conv"

    def link(self, **changes: object) -> str:
        """The address of this page with some of its parameters changed."""
        found = self.found
        return unit_address(self.settings, found.scan, found.layer.name, found.unit, self.params, changes)

    def other(self, unit: int | None) -> tuple[int, str] | None:
        """The number of another unit and the address of its page with the same parameters; None without a unit."""
        if unit is None:
            return None
        found = self.found
        return unit, unit_address(self.settings, found.scan, found.layer.name, unit, self.params)

    def shot(self, image: Shot) -> UnitShot:
        """An image with its links."""
        found, row = self.found, image.row
        heat = ""
        if self.maps and self.params.heat:
            path = f"/api/scans/{found.scan}/units/{found.layer.name}/{found.unit}/heatmap.png"
            heat = f"{self.settings.url(path)}?row={row}" + ("&smooth=1" if self.params.smooth else "")
        search = f"{self.settings.url(f'/scans/{found.scan}/search')}?row={row}&layer={found.layer.name}"
        saw = "the network saw" if found.layer.on_trunk else "the counting path saw"
        return UnitShot(image, heat, search, f"what {'the firing cell sees' if self.maps else saw} of row {row}")
