"""Addresses of probes: the page, its JSON twin, the table as CSV, and the form that starts a probe."""

import csv
import io
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.deps import ServicesDep, SettingsDep
from app.routes.results.pages import ResultsRequest, results_context
from app.routes.results.shapes import results_json
from app.services.results.service import Results
from app.services.services import Services
from app.web.responses import Json, answers, attachment
from app.web.templating import page
from models.probes.comparison import Differences
from models.probes.results import ProbeScore

router = APIRouter()

NameQuery = Annotated[str | None, Query(max_length=200)]
Slug = Annotated[str, Form(max_length=200)]


def _compared(services: Services, found: Results | None, a: str | None, b: str | None) -> Differences | None:
    return services.results.compare(found, a, b) if found is not None and a and b else None


@router.get("/api/results")
def show_results(
    services: ServicesDep,
    settings: SettingsDep,
    gallery: NameQuery = None,
    protocol: NameQuery = None,
    a: NameQuery = None,
    b: NameQuery = None,
) -> Json:
    """One table of probes, by default the fullest; with `a` and `b` also how much higher the first row scores.

    Differences are over the same images, with a 95 % interval over images and seeds. `published` is from papers.
    """
    found = services.results.table(gallery or None, protocol or None)
    gains = services.results.gains(found) if found is not None else {}
    compared = _compared(services, found, a, b)
    return Json(results_json(services.results.choices(), found, gains, compared, settings))


@router.get("/api/results.csv", response_class=Response, responses=answers("text/csv"))
def results_csv(services: ServicesDep, gallery: NameQuery = None, protocol: NameQuery = None) -> Response:
    """The same table as CSV: a line for each row, with score, interval and spread for each layer and classifier."""
    found = services.results.table(gallery or None, protocol or None)
    headers = attachment("results.csv")
    return Response(as_csv(found), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/results", include_in_schema=False)
def results_page(
    request: Request,
    services: ServicesDep,
    settings: SettingsDep,
    gallery: NameQuery = None,
    protocol: NameQuery = None,
    a: NameQuery = None,
    b: NameQuery = None,
    checkpoint: NameQuery = None,
) -> HTMLResponse:
    found = services.results.table(gallery or None, protocol or None)
    asked = ResultsRequest(a or "", b or "", checkpoint or "", gallery or "")
    compared = _compared(services, found, a, b)
    return page(request, results_context(services, found, compared, asked, settings))


@router.post("/start/probe", include_in_schema=False)
def start_probe(
    checkpoint: Slug,
    gallery: Slug,
    services: ServicesDep,
    settings: SettingsDep,
    steps: Annotated[int, Form(ge=1, le=1_000_000)] = 600,
) -> RedirectResponse:
    """Probe a checkpoint on a labelled gallery."""
    job, _ = services.jobs.submit("probe", {"checkpoint": checkpoint, "gallery": gallery, "steps": steps})
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)


def as_csv(found: Results | None) -> str:
    """The table as CSV for spreadsheets; scores are from 0 to 1."""
    sink = io.StringIO()
    lines = csv.writer(sink, lineterminator="\r\n")
    columns = [] if found is None else [column for group in found.columns.values() for column in group]
    head = ["row", "name", "checkpoint", "architecture", "gallery", "measure", "side", "steps", "seeds", "learned", "n"]
    for column in columns:
        name = f"{column.how} {column.layer}"
        head += [name, f"{name} low", f"{name} high", f"{name} spread"]
    lines.writerow(head)
    for row in () if found is None else found.rows:
        probe, how = row.probe, row.probe.protocol
        seeds = " ".join(str(seed) for seed in how.seeds)
        cells: list[object] = [probe.row, _safe(probe.name), probe.checkpoint or "", probe.architecture, probe.gallery]
        cells += [probe.measure, probe.side, how.steps, seeds, probe.learned, probe.tested]
        for column in columns:
            cells += _cells(row.score(column))
        lines.writerow(cells)
    return sink.getvalue()


def _cells(score: ProbeScore | None) -> list[object]:
    if score is None:
        return ["", "", "", ""]
    spread = "" if score.spread is None else f"{score.spread:.4f}"
    return [f"{score.value:.4f}", f"{score.low:.4f}", f"{score.high:.4f}", spread]


def _safe(text: str) -> str:
    """The name, changed so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text
