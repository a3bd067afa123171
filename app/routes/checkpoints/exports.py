"""Download a checkpoint: as safetensors at once; for PyTorch, or as ONNX, once a job has written and compared it."""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Form
from fastapi.responses import FileResponse, RedirectResponse, Response, StreamingResponse

from app.deps import ServicesDep, SettingsDep
from app.opened import CheckpointDep
from app.services.checkpoints.exports import export_file, offers
from app.web.responses import BINARY, Json, answers, attachment
from models.checkpoints import exports

router = APIRouter()

Slug = Annotated[str, Form(min_length=1, max_length=200)]


@router.get(
    "/api/checkpoints/{checkpoint}/export", response_class=Response, responses=answers(BINARY, "application/json")
)
def export(checkpoint: CheckpointDep, format: Literal["safetensors", "card"] | exports.Format) -> Response:
    """The weights under plain names with the card in their header; the card; or the file that a job wrote.

    409 until that job has run.
    """
    record, slug = checkpoint.record, checkpoint.slug
    if format == "card":
        return Json(exports.card_json(checkpoint.card), headers=attachment(f"{slug}.json"))
    if format == "safetensors":
        length = {"Content-Length": str(exports.safetensors_size(record.folder))}
        body = exports.safetensors_bytes(record.folder)
        return StreamingResponse(body, media_type=BINARY, headers=length | attachment(f"{slug}.safetensors"))
    path, made = export_file(record, format)
    name = f"{slug}.{exports.ENDINGS[format]}"
    return FileResponse(path, media_type=BINARY, filename=name, headers={"ETag": f'"{made.sha256}"'})


@router.get("/api/checkpoints/{checkpoint}/exports")
def list_exports(checkpoint: str, services: ServicesDep, settings: SettingsDep) -> Json:
    """Every format with its address; `made` is null until a job has written the file."""
    found = {"safetensors": None, "card": None} | {
        offer.format: None if offer.made is None else asdict(offer.made)
        for offer in offers(services.checkpoints.get(checkpoint))
    }
    here = settings.url(f"/api/checkpoints/{checkpoint}/export?format=")
    listed = [{"format": name, "made": made, "links": {"file": here + name}} for name, made in found.items()]
    return Json({"exports": listed})


@router.post("/start/export", include_in_schema=False)
def start_export(checkpoint: Slug, format: Slug, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Start the job that writes a checkpoint in that format."""
    job, _ = services.jobs.submit("export", {"checkpoint": checkpoint, "format": format})
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)
