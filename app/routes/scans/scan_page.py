"""The page of one scan: layers with their strongest units, average counts, rankings, how well the equation holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from app.routes.crops import Shot, shot
from app.routes.pictures import thumbnail
from app.routes.scans.stats import Stat
from app.services.galleries.seen import Seen
from app.services.scans.overview import Counts, EquationAt, LayerSummary, Ranking, Residuals, ScanOverview, Valued
from app.services.scans.service import OpenScan, ScanRecord
from app.services.services import Services
from app.settings import Settings
from app.web.charts import bar_chart, histogram
from app.web.choices import Choice
from app.web.formats import ago, duration, number, percent
from app.web.frame import PageContext
from app.web.templating import page
from models.scans.files import ScanInfo

GLIMPSE = 8  # units of each layer that the overview shows
MOST_ACTIVE = 12  # active units that are listed
CROP = 64  # size of a shown crop, pixels
THOUSANDTH = "their mean is above a thousandth of the largest"


@dataclass(frozen=True)
class Ranked:
    """An image in a ranking, and the value that it was ranked by.

    In a ranking of equations, `value` is bold and `magnitude`, the norm of the counts, stands beside it.
    """

    row: int
    src: str
    href: str
    value: str
    magnitude: str = ""


@dataclass(frozen=True)
class Glimpse:
    """The crop of a unit's top image."""

    unit: int
    href: str
    shot: Shot


@dataclass(frozen=True)
class ScannedLayerRow:
    """A layer in the table, all as text; `every` (the stride) and `region` are empty without a receptive field."""

    name: str
    href: str
    units: str
    dead: str
    fire_on: str
    maximum: str
    field: str
    every: str
    region: str
    glimpses: list[Glimpse]
    numpy: str
    parquet: str


@dataclass(frozen=True)
class ScanCounts:
    """The average count vector; the `active` units have the addresses of their pages, if the scan has that layer."""

    note: str
    chart: Markup
    active: list[tuple[int, str]]


@dataclass(frozen=True)
class RankingCard:
    """The images that count most and least; `norms` are links to rank by another norm."""

    note: str
    norms: list[Choice]
    highest: list[Ranked]
    lowest: list[Ranked]


@dataclass(frozen=True)
class EquationCard:
    """How well the counting equation holds; `best` and `worst` are chosen among `compared` images."""

    chart: Markup
    facts: list[tuple[str, str]]
    best: list[Ranked]
    worst: list[Ranked]
    compared: str


@dataclass(frozen=True)
class ScanContext(PageContext):
    """The page of one scan.

    `after_relu`: the page says that values are taken after the ReLU; `sweeps`: there are tuning curves; `trained_on`:
    the network was trained on this gallery. `kept_all`: every unit's value in every image was kept. `shown` says what
    the network saw of each image. `counts`, `ranking` and `equation` are None if the scan has no counts.
    """

    template: ClassVar[str] = "scan.html"
    record: ScanRecord
    others: list[tuple[str, str]]
    here: str
    after_relu: bool
    sweeps: bool
    trained_on: bool
    seen: Seen
    stats: list[Stat]
    layers: list[ScannedLayerRow]
    kept_all: bool
    shown: str
    counts: ScanCounts | None
    ranking: RankingCard | None
    equation: EquationCard | None


def show_overview(request: Request, services: Services, scan: OpenScan) -> HTMLResponse:
    """The page of one scan; `?norm=l1` ranks by the total count."""
    settings, record = services.settings, scan.record
    found, seen = services.scans.overview(scan), services.search_aids.seen(scan)
    norm = "l1" if request.query_params.get("norm") == "l1" else "l2"
    ranking = found.l1 if norm == "l1" else found.l2
    return page(
        request,
        ScanContext(
            record=record,
            others=services.checkpoints.others(scan.checkpoint.slug),
            here=settings.url(f"/scans/{scan.slug}"),
            after_relu=scan.info.residual,
            sweeps="counts" in record.layers and services.tuning.has_sweeps(scan.pack),
            trained_on=services.scans.trained_on(scan),
            seen=seen,
            stats=_stats(scan, found, seen, settings),
            layers=[_layer(services, scan, summary) for summary in found.layers],
            kept_all=scan.info.maxima,
            shown=shown_words(scan.info),
            counts=_counts(record, found.counts, settings) if found.counts else None,
            ranking=_ranking(record, ranking, norm, settings) if ranking else None,
            equation=_equation(record, found.residuals, settings) if found.residuals else None,
        ),
    )


def _stats(scan: OpenScan, found: ScanOverview, seen: Seen, settings: Settings) -> list[Stat]:
    record, info = scan.record, scan.info
    known = "not recorded" if seen.rows is None else f"{number(seen.count)} of the images"
    dead = sum(layer.dead for layer in found.layers)
    stats = [
        Stat("Images", number(record.rows), href=settings.url(f"/galleries/{record.gallery}")),
        Stat("Seen in training", "…", "being worked out")
        if seen.preparing
        else Stat("Seen in training", percent(seen.share, 1), known),
        Stat("Layers", str(len(found.layers))),
        Stat("Units", number(sum(layer.layer.units for layer in found.layers)), f"{number(dead)} dead"),
    ]
    if found.counts:
        active, units = len(found.counts.active), len(found.counts.average)
        stats.append(Stat("Active counting units", str(active), f"of {units}"))
    if found.residuals:
        stats.append(Stat("Relative counting error", number(found.residuals.pooled, 2), "Σ residual² / Σ |φ(Dx)|²"))
    job = "" if record.job_id is None else settings.url(f"/jobs/{record.job_id}")
    took = f"{duration(info.seconds)} in {info.precision}"
    return [*stats, Stat("Scanned", ago(record.created_at), took, job)]


def _layer(services: Services, scan: OpenScan, summary: LayerSummary) -> ScannedLayerRow:
    layer, settings = summary.layer, services.settings
    href = settings.url(f"/scans/{scan.slug}/units/{layer.name}")
    files = settings.url(f"/api/scans/{scan.slug}/embeddings/{layer.name}")
    known = layer.kind == "conv" and layer.receptive_field is not None
    return ScannedLayerRow(
        name=layer.name,
        href=href,
        units=number(layer.units),
        dead=number(summary.dead),
        fire_on=percent(summary.share_active),
        maximum=number(summary.maximum),
        field=f"{layer.receptive_field} px" if known else _whole(summary),
        every=f", every {layer.stride}" if known else "",
        region=f"half maximum: {number(summary.region, 2)} px" if known and summary.region else "",
        glimpses=_glimpses(services, scan, layer.name, href),
        numpy=f"{files}.npy",
        parquet=f"{files}.parquet",
    )


def _whole(summary: LayerSummary) -> str:
    """What a unit sees in a layer without a receptive field."""
    return "the whole input" if summary.layer.kind == "conv" or summary.layer.on_trunk else "the crop"


def _glimpses(services: Services, scan: OpenScan, layer: str, href: str) -> list[Glimpse]:
    """The crops of the top images of the units with the largest values of a layer."""
    units = services.units.page(scan, layer, sort="max", limit=GLIMPSE, best=1).units
    return [
        Glimpse(
            item.unit,
            f"{href}/{item.unit}?sort=max",
            shot(scan.gallery, item.top[0], services.settings, shown=CROP),
        )
        for item in units
        if item.top
    ]


def shown_words(info: ScanInfo) -> str:
    """Says what the network saw of each image, and what the embeddings are."""
    trunk, counts = info.trunk, info.counts
    if trunk.size is None:
        seen = "the native central square of each image"
    elif trunk.resize == trunk.size:
        seen = f"all of each image's central square, brought to {trunk.size} pixels"
    elif trunk.resize:
        square = f"{trunk.resize} pixels that each image's central square was brought to"
        seen = f"the middle {trunk.size} of {square}"
    else:
        seen = f"the middle {trunk.size} pixels of each image"
    who = "Convolutions" if counts else "The network"
    path = ""
    if counts:
        crop = f"the middle {counts.crop} pixels of the central {counts.region}"
        path = f"; the counting path {crop}, halved to {counts.size} by the {counts.kernel} kernel"
        path += f", in {info.count_precision}"
    enlarged = f"enlarged where it is smaller than {trunk.size or trunk.smallest} px"
    return f"{who} saw {seen}, {enlarged}{path}. Embeddings: {info.pooling}"


def _counts(record: ScanRecord, counts: Counts, settings: Settings) -> ScanCounts:
    path = settings.url(f"/scans/{record.slug}/units/counts")
    linked, units = "counts" in record.layers, range(len(counts.average))
    chart = bar_chart(
        counts.average.tolist(),
        labels=[f"unit {unit}" for unit in units],
        hrefs=[f"{path}/{unit}" for unit in units] if linked else (),
        label="Average count vector",
        x_label="unit",
        y_label="mean count",
    )
    active = [(unit, f"{path}/{unit}?sort=mean") for unit in counts.active[:MOST_ACTIVE]] if linked else []
    return ScanCounts(f"{len(counts.active)} of {len(units)} units are active: {THOUSANDTH}", chart, active)


def _ranking(record: ScanRecord, ranking: Ranking, norm: str, settings: Settings) -> RankingCard:
    here, median = settings.url(f"/scans/{record.slug}"), number(ranking.median)
    search = settings.url(f"/scans/{record.slug}/search")

    def ranked(items: Iterable[Valued]) -> list[Ranked]:
        return [
            Ranked(
                item.row,
                thumbnail(settings, record.gallery, item.row),
                f"{search}?row={item.row}",
                number(item.value),
            )
            for item in items
        ]

    return RankingCard(
        note=f"the images that count most and least; the median is {median}; a click shows neighbours",
        norms=[
            Choice("L2 norm", f"{here}#magnitude", norm == "l2"),
            Choice("L1 norm, the total count", f"{here}?norm=l1#magnitude", norm == "l1"),
        ],
        highest=ranked(ranking.highest),
        lowest=ranked(ranking.lowest),
    )


def _equation(record: ScanRecord, residuals: Residuals, settings: Settings) -> EquationCard:
    bench = settings.url(f"/checkpoints/{record.checkpoint}/count")

    def ranked(items: Iterable[EquationAt]) -> list[Ranked]:
        return [
            Ranked(
                item.row,
                thumbnail(settings, record.gallery, item.row),
                f"{bench}?gallery={record.gallery}&row={item.row}",
                number(item.relative, 2),
                number(item.whole, 2),
            )
            for item in items
        ]

    return EquationCard(
        chart=_residual_chart(residuals),
        facts=[
            ("Median relative residual", number(residuals.median, 2)),
            ("Over all images together", number(residuals.pooled, 2)),
            ("Images that count nothing", number(residuals.empty)),
            ("Beyond the last bin", number(residuals.beyond)),
        ],
        best=ranked(residuals.best),
        worst=ranked(residuals.worst),
        compared=number(residuals.compared),
    )


def _residual_chart(residuals: Residuals) -> Markup:
    return histogram(
        residuals.edges.tolist(),
        residuals.counts.tolist(),
        label="Relative residual of the counting equation",
        x_label="|φ(Dx) − Σ φ(Tⱼx)|² / |φ(Dx)|²",
        y_label="images",
        markers={"median": residuals.median} if residuals.median == residuals.median else None,
    )
