"""Checkpoints: the list, and each one's card."""

from dataclasses import asdict
from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from app.deps import LimitQuery, ServicesDep, SettingsDep
from app.services.card_tables import card_view
from app.services.checkpoints import CheckpointRecord
from app.settings import Settings
from app.web.charts import line_chart
from app.web.responses import Json
from app.web.templating import page
from models.card import Card

router = APIRouter()

CursorQuery = Annotated[str | None, Query(max_length=64)]


def links(record: CheckpointRecord, settings: Settings) -> dict[str, str]:
    """Where to go from a checkpoint: JSON twins, the picture of its filters and its page."""
    here = f"/api/checkpoints/{record.slug}"
    found = {
        "self": settings.url(here),
        "page": settings.url(f"/checkpoints/{record.slug}"),
        "filters": settings.url(f"{here}/filters"),
        "filters_png": settings.url(f"{here}/filters.png"),
    }
    if record.task == "counting":
        found["count"] = settings.url(f"{here}/count")
    if record.job_id is not None:
        found["job"] = settings.url(f"/api/jobs/{record.job_id}")
    return found


def summary(record: CheckpointRecord, settings: Settings) -> dict[str, object]:
    """A checkpoint as lists show it."""
    return {
        "slug": record.slug,
        "name": record.name,
        "architecture": record.architecture,
        "task": record.task,
        "sha256": record.sha256,
        "created_at": record.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "links": links(record, settings),
    }


def detail(record: CheckpointRecord, card: Card, settings: Settings) -> dict[str, object]:
    """A checkpoint with its whole card."""
    keys = ("name", "units", "stride", "receptive_field", "kind")
    return {
        **summary(record, settings),
        "recipe": card.recipe,
        "config": dict(card.config),
        "dtype": card.dtype,
        "layers": [{key: getattr(layer, key) for key in keys} for layer in card.layers],
        "preprocessing": asdict(card.preprocess),
        "provenance": dict(card.provenance),
        "measures": dict(card.measures),
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
def show_checkpoint(checkpoint: str, services: ServicesDep, settings: SettingsDep) -> Json:
    """A checkpoint's card: layers in forward order, preprocessing, provenance, measures, curves."""
    record = services.checkpoints.get(checkpoint)
    return Json(detail(record, services.checkpoints.read_card(record), settings))


@router.get("/checkpoints", include_in_schema=False)
def checkpoints_page(
    request: Request, services: ServicesDep, limit: LimitQuery = 50, cursor: CursorQuery = None
) -> HTMLResponse:
    found = services.checkpoints.list(limit=limit, cursor=cursor)
    return page(request, "checkpoints.html", found=found, first=cursor is None)


@router.get("/checkpoints/{checkpoint}", include_in_schema=False)
def checkpoint_page(request: Request, checkpoint: str, services: ServicesDep) -> HTMLResponse:
    record = services.checkpoints.get(checkpoint)
    card = services.checkpoints.read_card(record)
    galleries = [(item.slug, item.name) for item in services.galleries.list(limit=100).galleries if item.rows]
    return page(
        request,
        "checkpoint.html",
        record=record,
        card=card,
        view=card_view(card),
        galleries=galleries,
        line_chart=line_chart,
    )
