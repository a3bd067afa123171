"""Neighbours as tiles, the same query in other spaces, and the measurements of spaces as JSON."""

from dataclasses import dataclass, replace

from app.routes.pictures import Tile, labels, thumbnail
from app.routes.queries import SearchParams, address
from app.services.scans.service import OpenScan
from app.services.search.aids import ChosenSpace
from app.services.search.quality import UNTRAINED_PREFIX, Measured
from app.services.search.service import Found
from app.services.search.side_by_side import BESIDE, Image, SpaceRow
from app.services.services import Services
from app.settings import Settings
from models.galleries.packs import Pack
from models.random_init import NAME as UNTRAINED
from models.scans.files import ScanReader
from models.search.control_spaces import CONTROL_SPACES
from models.search.retrieval_quality import FacetScore
from models.statistics import Estimate

BESIDE_K = 12  # neighbours in each of the other spaces
COPIES_SHOWN = 24  # near copies of a hit
SPACES = {"pixels": "raw pixels", "colours": "colour histogram", UNTRAINED: "random init"}


@dataclass(frozen=True)
class Place:
    """The scan that is searched and the parameters of its page, from which the page's links are made."""

    scan: OpenScan
    params: SearchParams
    settings: Settings

    @property
    def reader(self) -> ScanReader:
        return self.scan.reader

    @property
    def pack(self) -> Pack:
        return self.scan.pack

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The spaces that can be searched, layers first: (value, text)."""
        return [(layer, layer) for layer in self.reader.layers] + [(space, SPACES[space]) for space in CONTROL_SPACES]

    def link(self, **changes: object) -> str:
        """The address of this page with some of its parameters changed."""
        return address(self.settings.url(f"/scans/{self.scan.slug}/search"), self.params, changes)

    def tile(
        self, row: int, label: str | None, caption: str = "", note: str = "", *, seen: bool = False, **changes: object
    ) -> Tile:
        """A row as a link that makes it the query."""
        src = thumbnail(self.settings, self.scan.gallery, row)
        href = self.link(**{"row": row, "upload": None, "box": None, "shuffle": None, **changes})
        return Tile(row, src, href, caption, label, note, seen)


@dataclass(frozen=True)
class ShownRow:
    """The neighbours in one of the other spaces.

    `worse` says at what the space is worse than raw pixels. `href` makes this space the one that is searched, None for
    a space of another scan.
    """

    space: str
    title: str
    layer: str
    state: str
    worse: str
    tiles: tuple[Tile, ...]
    href: str | None


@dataclass(frozen=True)
class Option:
    """A link that shows or hides one of the other spaces."""

    title: str
    href: str
    shown: bool


def title_of(space: str) -> str:
    """The name of a space for readers."""
    if space.startswith(UNTRAINED_PREFIX):
        return f"{space.removeprefix(UNTRAINED_PREFIX)} of random init"
    return SPACES.get(space, space)


def neighbours(place: Place, found: Found) -> list[Tile]:
    """A tile for each neighbour: its percentile among random pairs, its distance, and its near copies."""
    names = labels(place.pack, found.rows)
    hits = zip(found.rows, found.percentiles, found.distances, names, found.seen, found.copies, strict=True)
    tiles = []
    for row, percentile, distance, label, seen, copies in hits:
        caption, note = percentile_text(percentile), f"{distance:#.3g}".rstrip(".")
        tile = place.tile(row, label, caption, note, seen=seen)
        shown = tuple(place.tile(copy, None) for copy in copies[:COPIES_SHOWN])
        tiles.append(replace(tile, copies=shown, more_copies=len(copies) - len(shown)))
    return tiles


def percentile_text(percentile: float | None) -> str:
    """A percentile among random pairs, with no more digits than their number allows."""
    if percentile is None:
        return ""
    if percentile < 0.01:
        return "< 0.01 %"
    return (
        f"{percentile:.2f} %" if percentile < 1 else f"{percentile:.1f} %" if percentile < 10 else f"{percentile:.0f} %"
    )


def spaces_beside(
    services: Services, scan: OpenScan, params: SearchParams, chosen: ChosenSpace
) -> tuple[SpaceRow, ...]:
    """The same query in the spaces that the address asks for; `chosen` is the space of the search itself."""
    jpeg = None if params.row is not None else services.uploads.jpeg(params.upload or "")
    image = Image(params.row, jpeg, params.corners)
    asked = replace(params.asked, k=min(params.k, BESIDE_K))
    return tuple(services.search_panels.row(scan, space, image, asked, chosen) for space in params.spaces)


def rows_beside(services: Services, place: Place, chosen: ChosenSpace) -> tuple[ShownRow, ...]:
    """The same query in the other spaces, as tiles."""
    return tuple(_shown(place, row) for row in spaces_beside(services, place.scan, place.params, chosen))


def _shown(place: Place, row: SpaceRow) -> ShownRow:
    title = title_of(f"{UNTRAINED_PREFIX}{row.layer}" if row.space == UNTRAINED else row.space)
    tiles = () if row.found is None else tuple(neighbours(place, row.found))
    href = place.link(layer=row.layer) if row.space in CONTROL_SPACES else None
    return ShownRow(row.space, title, row.layer, row.state, " and by ".join(row.worse), tiles, href)


def options(place: Place) -> tuple[Option, ...]:
    """The spaces that can be shown below the neighbours, each as a link that shows or hides it."""
    now = place.params.spaces
    return tuple(
        Option(SPACES[space], place.link(beside=_with(now, space)), space in now)
        for space in BESIDE
        if space != place.params.layer and (space != UNTRAINED or place.reader.info.checkpoint != UNTRAINED)
    )


def _with(now: tuple[str, ...], space: str) -> str | None:
    return ",".join(one for one in BESIDE if (one in now) != (one == space)) or None


def measured_json(measured: Measured, layers: tuple[str, ...]) -> dict[str, object]:
    """The measurements as JSON; `state` is "measured", "preparing" or "unmeasured"."""
    quality = measured.quality
    if quality is None:
        return {"state": "preparing" if measured.preparing else "unmeasured", "best": None, "spaces": {}}
    spaces = {
        space: {facet: _score_json(score) for facet, score in scores.items()}
        for space, scores in quality.scores.items()
    }
    return {
        "state": "measured",
        "best": measured.best(layers),
        "measure": "precision_at_5",
        "queries": quality.queries,
        "database": quality.database,
        "unseen_only": measured.unseen,
        "chance": dict(quality.chance),
        "sought": quality.sought,
        "spaces": spaces,
        "worse_than_pixels": {space: worse for space in spaces if (worse := measured.worse(space))},
    }


def _score_json(score: FacetScore) -> dict[str, object]:
    return {
        "value": score.precision.value,
        "interval": _interval(score.precision),
        "over_pixels": {"value": score.gain.value, "interval": _interval(score.gain)},
        "knn_20": score.voted,
    }


def _interval(measure: Estimate) -> list[float]:
    return [measure.low, measure.high]
