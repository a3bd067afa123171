"""Evaluations of a checkpoint, the table of who was tested on what, and the forms that start such jobs."""

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse

from app.deps import ServicesDep, SettingsDep
from app.opened import CheckpointDep
from app.services.checkpoints.measures import GateTable, MeasureCell
from app.services.evaluations.carry_over import NetworkRow, Tested, TwoByTwo
from app.services.evaluations.service import Source, Trained, TrainedTested
from app.settings import Settings
from app.web.responses import Json

router = APIRouter()

Slug = Annotated[str, Form(max_length=200)]


def cell_json(cell: MeasureCell | None) -> dict[str, object] | None:
    """A value with its interval and its number of images."""
    if cell is None:
        return None
    return {"value": cell.value, "interval": list(cell.interval) if cell.interval else None, "n": cell.n}


def gates_json(table: GateTable) -> dict[str, object]:
    """The verdict as a sentence, and every gate for the checkpoint and for each control."""
    rows = [
        {
            "name": row.gate.name,
            "words": row.gate.words,
            "asks": row.gate.asks,
            "required": row.gate.required,
            "columns": {
                name: {**(cell_json(cell.measured) or {}), "verdict": cell.verdict, "bar": cell.bar}
                for name, cell in zip(table.keys, row.cells, strict=True)
            },
        }
        for row in table.rows
    ]
    return {"sentence": table.sentence, "passed": table.passed, "required": table.required, "gates": rows}


def source_json(source: Source) -> dict[str, object]:
    """One evaluation with all its measures."""
    return {
        "on": source.key,
        "title": source.title,
        "images": source.note,
        "freshness": source.freshness,
        "measures": dict(source.measures),
    }


def _tested_json(cell: Tested | None) -> dict[str, object] | None:
    if cell is None:
        return None
    named = {
        "additivity_ratio": cell.ratio,
        "r2_adding": cell.adding,
        "r2_averaging": cell.averaging,
        "unit_and_number": cell.unit,
        "total_and_number": cell.total,
    }
    found: dict[str, object] = {name: cell_json(value) for name, value in named.items()}
    numbers = {"numbers_of": cell.numbers_of or cell.gallery, "pictures": cell.pictures or None}
    return {**found, **numbers, "images": cell.rows, "warning": cell.warning or None}


def _row_json(row: Trained, table: TrainedTested, settings: Settings) -> dict[str, object]:
    tested = {slug: _tested_json(cell) for (slug, _, _), cell in zip(table.galleries, row.tested, strict=True)}
    links = {"self": settings.url(f"/api/checkpoints/{row.slug}")}
    return {"checkpoint": row.slug, "trained_on": row.trained_on, "tested_on": tested, "links": links}


def _carried_json(row: NetworkRow, table: TwoByTwo) -> dict[str, object]:
    cells = {column.family: _tested_json(cell) for column, cell in zip(table.columns, row.cells, strict=True)}
    return {"trained_on": row.family, "checkpoint": row.slug, "name": row.name or None, "tested_on": cells}


def carry_over_json(table: TwoByTwo) -> dict[str, object]:
    """The table of two by two: the gallery that stands for each family, the networks, the controls."""
    return {
        "columns": {column.family: {"gallery": column.gallery, "here": column.here} for column in table.columns},
        "networks": [_carried_json(row, table) for row in table.rows],
        "controls": [_carried_json(row, table) for row in table.controls],
    }


@router.get("/api/checkpoints/{checkpoint}/evaluations")
def list_evaluations(checkpoint: CheckpointDep, services: ServicesDep) -> Json:
    """All that the checkpoint was measured on: its own held-out images (`own`), then galleries."""
    return Json({"evaluations": [source_json(source) for source in services.evaluations.sources(checkpoint)]})


@router.get("/api/trained-tested")
def trained_tested(services: ServicesDep, settings: SettingsDep) -> Json:
    """Every counting checkpoint on every gallery: additivity ratio, R² of adding and averaging, correlation.

    `carry_over` is a table of two by two: trained on photos or on drawn scenes, tested on both, beside the controls.
    """
    tables = services.evaluations.tables()
    table = tables.tested
    galleries = [{"slug": slug, "name": name, "here": here} for slug, name, here in table.galleries]
    rows = [_row_json(row, table, settings) for row in table.rows]
    return Json({"carry_over": carry_over_json(tables.carried), "galleries": galleries, "checkpoints": rows})


@router.post("/start/timeline", include_in_schema=False)
def start_timeline(checkpoint: Slug, gallery: Slug, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Measure every snapshot of a checkpoint's training on a gallery, with the default settings."""
    job, _ = services.jobs.submit("timeline", {"checkpoint": checkpoint, "gallery": gallery})
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)


@router.post("/start/readout", include_in_schema=False)
def start_readout(checkpoint: Slug, gallery: Slug, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Fit a readout of a checkpoint on a gallery, with the default settings."""
    job, _ = services.jobs.submit("readout", {"checkpoint": checkpoint, "gallery": gallery})
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)


@router.post("/start/evaluate", include_in_schema=False)
def start_evaluation(checkpoint: Slug, gallery: Slug, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Evaluate a checkpoint on a gallery, with the default settings."""
    job, _ = services.jobs.submit("evaluate", {"checkpoint": checkpoint, "gallery": gallery})
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)
