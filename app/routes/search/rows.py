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

BESIDE_K = 12
COPIES_SHOWN = 24
SPACES = {"pixels": "raw pixels", "colours": "colour histogram", UNTRAINED: "random init"}


@dataclass(frozen=True)
class Place:
    """The scan that is searched, and how links of its page are made."""

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
        """What can be searched by, layers first."""
        return [(layer, layer) for layer in self.reader.layers] + [(space, SPACES[space]) for space in CONTROL_SPACES]

    def link(self, **changes: object) -> str:
        """This page with some things changed."""
        return address(self.settings.url(f"/scans/{self.scan.slug}/search"), self.params, changes)

    def tile(
        self, row: int, label: str | None, caption: str = "", note: str = "", *, seen: bool = False, **changes: object
    ) -> Tile:
        """A row that becomes the query on a click."""
        src = thumbnail(self.settings, self.scan.gallery, row)
        href = self.link(**{"row": row, "upload": None, "box": None, "shuffle": None, **changes})
        return Tile(row, src, href, caption, label, note, seen)


@dataclass(frozen=True)
class ShownRow:
    """One space below the neighbours; `worse` are the facets by which it does worse than raw pixels, in words."""

    space: str
    title: str
    layer: str
    state: str
    worse: str
    tiles: tuple[Tile, ...]
    href: str | None


@dataclass(frozen=True)
class Option:
    """A space that can be shown or put away."""

    title: str
    href: str
    shown: bool


def title_of(space: str) -> str:
    """A space in words."""
    if space.startswith(UNTRAINED_PREFIX):
        return f"{space.removeprefix(UNTRAINED_PREFIX)} of random init"
    return SPACES.get(space, space)


def neighbours(place: Place, found: Found) -> list[Tile]:
    """Each row with its place among random pairs, its distance, and its near copies."""
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
    """A place among random pairs, no finer than their number tells."""
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
    """The same query in the spaces that the address asks for; `chosen` is what the search itself goes by."""
    jpeg = None if params.row is not None else services.uploads.jpeg(params.upload or "")
    image = Image(params.row, jpeg, params.corners)
    asked = replace(params.asked, k=min(params.k, BESIDE_K))
    return tuple(services.search_panels.row(scan, space, image, asked, chosen) for space in params.spaces)


def rows_beside(services: Services, place: Place, chosen: ChosenSpace) -> tuple[ShownRow, ...]:
    """The same as tiles."""
    return tuple(_shown(place, row) for row in spaces_beside(services, place.scan, place.params, chosen))


def _shown(place: Place, row: SpaceRow) -> ShownRow:
    title = title_of(f"{UNTRAINED_PREFIX}{row.layer}" if row.space == UNTRAINED else row.space)
    tiles = () if row.found is None else tuple(neighbours(place, row.found))
    href = place.link(layer=row.layer) if row.space in CONTROL_SPACES else None
    return ShownRow(row.space, title, row.layer, row.state, " and by ".join(row.worse), tiles, href)


def options(place: Place) -> tuple[Option, ...]:
    """What can be shown beside the neighbours, each as a link that shows or hides it."""
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
