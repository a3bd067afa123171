"""The pages of scans: the list with its form, and the overview of one."""

from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from app.routes.crops import Shot, shot
from app.routes.pictures import thumbnail
from app.services.scans.overview import Counts, EquationAt, Overview, Residuals, Valued
from app.services.scans.service import OpenScan, ScanRecord
from app.services.services import Services
from app.settings import Settings
from app.web.charts import bar_chart, histogram
from app.web.templating import page
from models.descriptors import DESCRIPTORS

GLIMPSE = 8  # units of each layer that the overview shows
CROP = 64


@dataclass(frozen=True)
class Ranked:
    """An image in a ranking."""

    row: int
    src: str
    href: str
    value: float
    equation: EquationAt | None = None


def show_scans(request: Request, services: Services, *, limit: int, cursor: str | None) -> HTMLResponse:
    """All scans, and the form that starts one."""
    checkpoints = services.checkpoints.choices()
    known = {slug for slug, _ in checkpoints}
    return page(
        request,
        "scans.html",
        found=services.scans.list(limit=limit, cursor=cursor),
        first=cursor is None,
        checkpoints=checkpoints,
        galleries=services.galleries.filled(),
        descriptors=[(name, kind.title) for name, kind in DESCRIPTORS.items() if name not in known],
    )


def show_scan(request: Request, services: Services, scan: OpenScan) -> HTMLResponse:
    """One scan as a whole; `?norm=l1` ranks by the total count."""
    settings, record = services.settings, scan.record
    found = services.scans.overview(scan)
    norm = "l1" if request.query_params.get("norm") == "l1" else "l2"
    ranking = found.l1 if norm == "l1" else found.l2
    return page(
        request,
        "scan.html",
        record=record,
        others=services.checkpoints.others(record.checkpoint),
        info=scan.info,
        found=found,
        glimpses=_glimpses(services, scan, found),
        norm=norm,
        ranking=ranking,
        highest=[_valued(record, item, settings) for item in ranking.highest] if ranking else [],
        lowest=[_valued(record, item, settings) for item in ranking.lowest] if ranking else [],
        average=_average_chart(record, found.counts, settings) if found.counts else None,
        residual=_residual_chart(found.residuals) if found.residuals else None,
        best=_equations(record, found.residuals.best, settings) if found.residuals else [],
        worst=_equations(record, found.residuals.worst, settings) if found.residuals else [],
        trained_on=services.scans.trained_on(scan),
        seen=services.search_aids.seen(scan),
        sweeps="counts" in record.layers and services.tuning.has_sweeps(scan.pack),
    )


def _glimpses(services: Services, scan: OpenScan, found: Overview) -> dict[str, list[tuple[int, Shot]]]:
    """The best crop of the units of each layer that fire highest."""
    shots: dict[str, list[tuple[int, Shot]]] = {}
    for summary in found.layers:
        name = summary.layer.name
        units = services.units.page(scan, name, sort="max", limit=GLIMPSE, best=1).units
        shots[name] = [
            (item.unit, shot(scan.gallery, item.top[0], services.settings, shown=CROP)) for item in units if item.top
        ]
    return shots


def _average_chart(record: ScanRecord, counts: Counts, settings: Settings) -> Markup:
    path = f"/scans/{record.slug}/units/counts"
    linked = "counts" in record.layers
    return bar_chart(
        counts.average.tolist(),
        labels=[f"unit {unit}" for unit in range(len(counts.average))],
        hrefs=[settings.url(f"{path}/{unit}") for unit in range(len(counts.average))] if linked else (),
        label="Average count vector",
        x_label="unit",
        y_label="mean count",
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


def _equations(record: ScanRecord, found: tuple[EquationAt, ...], settings: Settings) -> list[Ranked]:
    """Equations that lead to the counting bench."""
    bench = settings.url(f"/checkpoints/{record.checkpoint}/count")
    return [
        Ranked(
            item.row,
            thumbnail(settings, record.gallery, item.row),
            f"{bench}?gallery={record.gallery}&row={item.row}",
            item.relative,
            item,
        )
        for item in found
    ]


def _valued(record: ScanRecord, item: Valued, settings: Settings) -> Ranked:
    href = settings.url(f"/scans/{record.slug}/search")
    return Ranked(item.row, thumbnail(settings, record.gallery, item.row), f"{href}?row={item.row}", item.value)
