"""Addresses of checkpoints: the list, and the card of each."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from app.deps import LimitQuery, ServicesDep, SettingsDep
from app.opened import CheckpointDep
from app.routes.checkpoints.evaluations import gates_json
from app.routes.checkpoints.pages import show_card, show_list
from app.services.checkpoints.measures import gate_table
from app.services.checkpoints.service import CheckpointRecord
from app.services.evaluations.service import Source, chosen
from app.settings import Settings
from app.web.json_times import rfc3339
from app.web.responses import Json
from models.card import Card
from models.recipes import RECIPES

router = APIRouter()

OnQuery = Annotated[str | None, Query(max_length=200)]
CursorQuery = Annotated[str | None, Query(max_length=64)]


def links(record: CheckpointRecord, settings: Settings) -> dict[str, str]:
    """The addresses that belong to a checkpoint: JSON twins, its page, the picture of its filters."""
    here = f"/api/checkpoints/{record.slug}"
    found = {
        "self": settings.url(here),
        "page": settings.url(f"/checkpoints/{record.slug}"),
        "filters": settings.url(f"{here}/filters"),
        "filters_png": settings.url(f"{here}/filters.png"),
        "evaluations": settings.url(f"{here}/evaluations"),
        "sanity": settings.url(f"{here}/sanity"),
        "results": settings.url("/api/results"),
        "exports": settings.url(f"{here}/exports"),
    }
    if record.task == "counting":
        found["count"] = settings.url(f"{here}/count")
    if record.task in RECIPES:
        found["puzzle"] = settings.url(f"/api/tasks/{record.task}?checkpoint={record.slug}")
    if record.job_id is not None:
        found["job"] = settings.url(f"/api/jobs/{record.job_id}")
    return found


def summary(record: CheckpointRecord, settings: Settings) -> dict[str, object]:
    """A checkpoint as a list shows it."""
    return {
        "slug": record.slug,
        "name": record.name,
        "architecture": record.architecture,
        "task": record.task,
        "sha256": record.sha256,
        "created_at": rfc3339(record.created_at),
        "links": links(record, settings),
    }


def detail(record: CheckpointRecord, card: Card, source: Source | None, settings: Settings) -> dict[str, object]:
    """A checkpoint with its whole card; the gates are those on `source`."""
    keys = ("name", "units", "stride", "receptive_field", "kind", "value")
    return {
        **summary(record, settings),
        "recipe": card.recipe,
        "config": dict(card.config),
        "dtype": card.dtype,
        "layers": [{key: getattr(layer, key) for key in keys} for layer in card.layers],
        "encoder": {"builder": card.architecture, **card.encoder},
        "filters_only": card.filters_only,
        "preprocessing": asdict(card.preprocess),
        "provenance": dict(card.provenance),
        "measures": dict(card.measures),
        "gates": None
        if source is None or not card.has_counts
        else {"on": source.key, **gates_json(gate_table(source.measures))},
        "curves": dict(card.curves),
        "scans": [{"slug": slug, "links": {"self": settings.url(f"/api/scans/{slug}")}} for slug in record.scans],
    }


@router.get("/api/checkpoints")
def list_checkpoints(
    services: ServicesDep, settings: SettingsDep, limit: LimitQuery = 50, cursor: CursorQuery = None
) -> Json:
    """Checkpoints of the workspace, newest first."""
    found = services.checkpoints.list(limit=limit, cursor=cursor)
    return Json({"checkpoints": [summary(record, settings) for record in found.checkpoints], "next": found.next})


@router.get("/api/checkpoints/{checkpoint}")
def show_checkpoint(
    checkpoint: CheckpointDep, services: ServicesDep, settings: SettingsDep, on: OnQuery = None
) -> Json:
    """A checkpoint's card: layers in forward order, preprocessing, provenance, measures, gates, curves.

    Gates are judged on the gallery `on` (`own`: the images that training held out), else where most was measured.
    """
    source = chosen(services.evaluations.sources(checkpoint), on)
    return Json(detail(checkpoint.record, checkpoint.card, source, settings))


@router.get("/checkpoints", include_in_schema=False)
def checkpoints_page(
    request: Request, services: ServicesDep, limit: LimitQuery = 50, cursor: CursorQuery = None
) -> HTMLResponse:
    return show_list(request, services, limit=limit, cursor=cursor)


@router.get("/checkpoints/{checkpoint}", include_in_schema=False)
def checkpoint_page(
    request: Request, checkpoint: CheckpointDep, services: ServicesDep, on: OnQuery = None
) -> HTMLResponse:
    return show_card(request, services, checkpoint, on)
