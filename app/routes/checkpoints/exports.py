"""Take a checkpoint away: as safetensors at once, for PyTorch or as ONNX once a job has written and compared it."""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Form
from fastapi.responses import FileResponse, RedirectResponse, Response, StreamingResponse

from app.deps import ServicesDep, SettingsDep
from app.opened import CheckpointDep, ScanDep
from app.routes.scans.embeddings import parquet_pieces
from app.services.checkpoints.exports import export_file, offers
from app.web.responses import Json, answers
from models.checkpoints import exports

router = APIRouter()

Slug = Annotated[str, Form(min_length=1, max_length=200)]
BINARY = "application/octet-stream"


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


@router.get(
    "/api/checkpoints/{checkpoint}/export", response_class=Response, responses=answers(BINARY, "application/json")
)
def export(checkpoint: CheckpointDep, format: Literal["safetensors", "card"] | exports.Format) -> Response:
    """The weights under plain names, with the card in their header; the card; or what a job wrote, 409 before that."""
    record, slug = checkpoint.record, checkpoint.slug
    if format == "card":
        return Json(exports.card_json(checkpoint.card), headers=_attachment(f"{slug}.json"))
    if format == "safetensors":
        length = {"Content-Length": str(exports.safetensors_size(record.folder))}
        body = exports.safetensors_bytes(record.folder)
        return StreamingResponse(body, media_type=BINARY, headers=length | _attachment(f"{slug}.safetensors"))
    path, made = export_file(record, format)
    name = f"{slug}.{exports.ENDINGS[format]}"
    return FileResponse(path, media_type=BINARY, filename=name, headers={"ETag": f'"{made.sha256}"'})


@router.get("/api/checkpoints/{checkpoint}/exports")
def list_exports(checkpoint: str, services: ServicesDep, settings: SettingsDep) -> Json:
    """Every form with where it is; `made` null until a job has written it."""
    found = {"safetensors": None, "card": None} | {
        offer.format: None if offer.made is None else asdict(offer.made)
        for offer in offers(services.checkpoints.get(checkpoint))
    }
    here = settings.url(f"/api/checkpoints/{checkpoint}/export?format=")
    listed = [{"format": name, "made": made, "links": {"file": here + name}} for name, made in found.items()]
    return Json({"exports": listed})


@router.post("/start/export", include_in_schema=False)
def start_export(checkpoint: Slug, format: Slug, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Write a checkpoint in that form."""
    job, _ = services.jobs.submit("export", {"checkpoint": checkpoint, "format": format})
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)


@router.get(
    "/api/scans/{scan}/embeddings/{layer}.parquet",
    response_class=Response,
    responses=answers("application/vnd.apache.parquet"),
)
def embeddings_parquet(scan: ScanDep, layer: str) -> StreamingResponse:
    """A layer's embeddings as Parquet: row, path, label, split, and the vector, one row group a shard."""
    pieces = parquet_pieces(scan.reader, scan.layer(layer).name, scan.pack)
    headers = _attachment(f"{scan.slug}-{layer}.parquet")
    return StreamingResponse(pieces, media_type="application/vnd.apache.parquet", headers=headers)
