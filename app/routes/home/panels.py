"""The contents of the first screen's four panels: counts, units, neighbours of one image, and the first filters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from app.deps import MAX_ID
from app.failures import Busy, DomainError
from app.routes.crops import Shot, shot
from app.routes.pictures import ImageAddress, Picture, Tile, labels, thumbnail
from app.routes.queries import Name, Row, UploadName, address
from app.services.checkpoints.first_layers import FirstLayer, Panel
from app.services.counting.service import Counted
from app.services.filters.panels import data_address
from app.services.galleries.truth import TruthGrid
from app.services.home.first_screen import Stage, Subject, stage, subject
from app.services.scans.service import OpenScan
from app.services.search.service import Found
from app.services.search.side_by_side import Image, SpaceRow
from app.services.services import Services
from app.services.units.responses import CROPS
from app.settings import Settings
from models.random_init import NAME as RANDOM_INIT

CROP = 60  # size of a shown crop, pixels
NEIGHBOURS = 9
FILTERS = 36

Content = TypeVar("Content", covariant=True)
Made = TypeVar("Made")


class HomeParams(BaseModel):
    """What the first screen shows: a scan, an image of its gallery or an upload, and numbers for random choices."""

    model_config = ConfigDict(extra="ignore")

    scan: Name = None
    row: Row = None
    upload: UploadName = None
    shuffle: Annotated[int, Field(ge=0, le=MAX_ID)] = 0  # chooses the random units
    image: Annotated[int, Field(ge=0, le=MAX_ID)] = 0  # chooses the image if none is named


@dataclass(frozen=True)
class Part(Generic[Content]):
    """The content of a panel; if there is none, the other fields say why.

    `busy` is a message while the network is being loaded, `fault` says what failed, and `coming` is true while a job is
    making the content.
    """

    content: Content | None = None
    busy: str = ""
    fault: str = ""
    coming: bool = False

    @property
    def live(self) -> bool:
        """Whether the panel will have content if it is asked for again later."""
        return bool(self.busy) or self.coming


@dataclass(frozen=True)
class PanelUnit:
    """A unit in the panel: crops of its top images, and how far the image drives it above its usual response.

    `score` is in standard deviations; `chosen` is "activity" for units that the image drives most, "random" for others.
    """

    unit: int
    href: str
    chosen: str
    score: float
    shots: tuple[Shot, ...]


@dataclass(frozen=True)
class Units:
    layer: str
    units: tuple[PanelUnit, ...]


@dataclass(frozen=True)
class SearchRow:
    """The neighbours of the image in one space; while they are being prepared `found` is None and `tiles` is empty.

    `worse` names the measures in which the space is worse than raw pixels.
    """

    name: str
    href: str
    tiles: tuple[Tile, ...]
    found: Found | None
    worse: tuple[str, ...]


@dataclass(frozen=True)
class FilterSheet:
    """First-layer filters as pictures, and the total-variation ratio of the median one.

    Both are None if there are no such filters, or not yet.
    """

    name: str
    pictures: tuple[str, ...] | None
    roughness: float | None


@dataclass(frozen=True)
class Filters:
    """The three sheets of filters; `noise` is the total-variation ratio of white noise."""

    layer: str
    noise: float
    sheets: tuple[FilterSheet, ...]


@dataclass(frozen=True)
class FirstLook:
    """All that the first screen shows of one image: the checkpoint and gallery, the image, and what the panels contain.

    `subject` and `picture` are None while the gallery has no images; `truth` is None if it is not known what is in the
    image.
    """

    stage: Stage
    params: HomeParams
    settings: Settings
    subject: Subject | None
    picture: Picture | None
    count: Part[Counted]
    control: Part[Counted]  # the same image, counted by the untrained network
    units: Part[Units]
    truth: TruthGrid | None
    rows: Part[tuple[SearchRow, ...]]
    filters: Part[Filters]

    def link(self, **changes: object) -> str:
        """The address of this page with some of its parameters changed."""
        return address(self.settings.url("/"), self.params, changes)

    @property
    def about(self) -> str:
        """The query string that names the image on other pages."""
        assert self.subject is not None
        return f"upload={self.subject.upload}" if self.subject.upload else f"row={self.subject.row}"

    @property
    def bench(self) -> str:
        """The address of the counting bench with the image."""
        here = self.settings.url(f"/checkpoints/{self.stage.checkpoint.slug}/count")
        if self.subject is None:
            return here
        return f"{here}?{self.about}" + ("" if self.subject.upload else f"&gallery={self.stage.gallery.slug}")

    @property
    def search_live(self) -> bool:
        return self.rows.live or any(row.found is None for row in self.rows.content or ())

    @property
    def filters_live(self) -> bool:
        found = self.filters.content
        return self.filters.live or (
            found is not None and found.sheets[-1].pictures is None and self.stage.gallery.rows > 0
        )

    @property
    def waits(self) -> bool:
        """Whether the page will show more if it is asked for again later."""
        return self.count.live or self.units.live or self.search_live or self.filters_live


def first_look(services: Services, settings: Settings, params: HomeParams) -> FirstLook | None:
    """The first screen; None if there is no network that counts, or no photo. Raises NotFound, Conflict."""
    on = stage(services, params.scan, own=params.upload is not None)
    if on is None:
        return None
    about = subject(services, on, row=params.row, upload=params.upload, shuffle=params.image)
    return FirstLook(
        stage=on,
        params=params,
        settings=settings,
        subject=about,
        picture=_picture(settings, on, about) if about else None,
        count=_part(on, about, lambda image: _count(services, on.checkpoint.slug, image)),
        control=_part(on, about, lambda image: _count(services, RANDOM_INIT, image)),
        truth=_truth(services, on, about),
        units=_scanned(on, about, lambda scan, image: _units(services, scan, on, image, params.shuffle)),
        rows=_rows(services, on, about),
        filters=part(lambda: _filters(services, on, about)),
    )


def part(make: Callable[[], Made]) -> Part[Made]:
    """A part with what `make` returns, or with the message of the failure that it raises."""
    try:
        return Part(make())
    except Busy as busy:
        return Part(busy=busy.message)
    except DomainError as fault:
        return Part(fault=fault.message)


def _part(on: Stage, about: Subject | None, make: Callable[[Subject], Made]) -> Part[Made]:
    return Part(coming=on.coming) if about is None else part(lambda: make(about))


def _scanned(on: Stage, about: Subject | None, make: Callable[[OpenScan, Subject], Made]) -> Part[Made]:
    scan = on.opened
    return Part(coming=on.coming) if scan is None else _part(on, about, lambda image: make(scan, image))


def _count(services: Services, checkpoint: str, image: Subject) -> Counted:
    return services.counting.count(services.checkpoints.open(checkpoint), image.image)


def _picture(settings: Settings, on: Stage, about: Subject) -> Picture:
    width, height = about.image.width, about.image.height
    if about.upload is not None:
        return Picture(settings.url(f"/uploads/{about.upload}.jpg"), width, height, "your image")
    src = ImageAddress(settings, on.gallery.slug, about.row or 0).image
    return Picture(src, width, height, f"row {about.row} of {on.gallery.slug}")


def _truth(services: Services, on: Stage, about: Subject | None) -> TruthGrid | None:
    """What is truly in the image; None if that is not known."""
    if about is None or about.row is None or not services.truth.known(on.gallery.slug, about.row):
        return None
    return services.truth.grid(on.gallery.slug, about.row)


def _units(services: Services, scan: OpenScan, on: Stage, about: Subject, seed: int) -> Units:
    layer, found = services.responses.standing_out(scan, about.image.jpeg, row=_scanned_row(on, about), seed=seed)
    return Units(
        layer,
        tuple(
            PanelUnit(
                item.unit.unit,
                services.settings.url(f"/scans/{scan.slug}/units/{layer}/{item.unit.unit}"),
                item.chosen,
                item.score,
                tuple(shot(on.gallery.slug, image, services.settings, shown=CROP) for image in item.top[:CROPS]),
            )
            for item in found
        ),
    )


def _scanned_row(on: Stage, about: Subject) -> int | None:
    return about.row if about.row is not None and on.scan is not None and about.row < on.scan.rows else None


def _rows(services: Services, on: Stage, about: Subject | None) -> Part[tuple[SearchRow, ...]]:
    return _scanned(on, about, lambda scan, image: _searched(services, scan, image))


def _searched(services: Services, scan: OpenScan, about: Subject) -> tuple[SearchRow, ...]:
    image = Image(row=about.row) if about.row is not None else Image(jpeg=about.image.jpeg)
    query = f"row={about.row}" if about.row is not None else f"upload={about.upload}"
    return tuple(_row(services, row, query) for row in services.search_panels.panel(scan, image, k=NEIGHBOURS))


def _row(services: Services, found: SpaceRow, query: str) -> SearchRow:
    here = f"{services.settings.url(f'/scans/{found.scan}/search')}?layer={found.layer}"
    tiles = () if found.found is None else _tiles(services, here, found.found)
    return SearchRow(found.space, f"{here}&{query}", tiles, found.found, found.worse)


def _tiles(services: Services, here: str, found: Found) -> tuple[Tile, ...]:
    pack = services.galleries.pack(found.gallery)
    shown = zip(found.rows, found.distances, labels(pack, found.rows), strict=True)
    percentiles = found.percentiles or (None,) * len(found.rows)
    return tuple(
        Tile(
            row,
            thumbnail(services.settings, found.gallery, row),
            f"{here}&row={row}",
            f"{distance:.3g}" if percentile is None else f"{percentile:.2g} %",
            name,
        )
        for (row, distance, name), percentile in zip(shown, percentiles, strict=True)
    )


def _filters(services: Services, on: Stage, about: Subject | None) -> Filters:
    checkpoint = services.checkpoints.open(on.checkpoint.slug)
    found = services.filters.pictures(checkpoint, limit=FILTERS)
    layer = services.checkpoints.first_layer(checkpoint)
    if about is not None and about.upload is not None:
        order = services.responses.filters(checkpoint, about.image.jpeg)[:FILTERS]
        start, now = (_addresses(layer, panel, order) for panel in ("step0", "trained"))
    else:
        start, now = found.start, found.now
    sheets = (
        ("at the start", start, found.start_tv),
        ("now", now, found.now_tv),
        ("k-means of patches", found.kmeans, found.kmeans_tv),
    )
    return Filters(layer.layer, found.noise_tv, tuple(FilterSheet(*sheet) for sheet in sheets))


def _addresses(layer: FirstLayer, panel: Panel, order: Sequence[int]) -> tuple[str, ...] | None:
    pixels = layer.pixels(panel, "common")
    return None if pixels is None else tuple(data_address(pixels[number]) for number in order)
