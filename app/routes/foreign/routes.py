"""JSON addresses of foreign files of weights: inspecting one, what was found in it, and registering it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from app.deps import ServicesDep, SettingsDep, parse_json
from app.failures import BadQuery
from app.routes.checkpoints.bodies import SAME, PreprocessBody
from app.routes.checkpoints.routes import summary
from app.services.foreign.checkpoints import NewCheckpoint
from app.services.foreign.inspections import InspectionRecord
from app.services.services import Services
from app.settings import Settings
from app.web.json_times import rfc3339
from app.web.receiving import Received, receive
from app.web.responses import Json
from models.foreign.formats import FORMATS
from models.foreign.weights import TensorInfo, WeightsCandidate

router = APIRouter()

MAX_PATH = 4096
ChoiceQuery = Annotated[str | None, Query(max_length=300)]


@dataclass(frozen=True)
class WeightsFile:
    """Weights as they were given: a received file, the path of one on the server, or the name a library gives them."""

    received: Received | None = None
    path: str | None = None
    published: str | None = None

    @property
    def name(self) -> str:
        """The name that the sender gave, empty for a path."""
        return self.published or "" if self.received is None else self.received.entries[0].name

    def look(self, services: Services) -> InspectionRecord:
        """Inspect the weights. Raises what the service of inspections raises."""
        if self.published is not None:
            return services.inspections.look_up(self.published)
        if self.received is None:
            return services.inspections.look(self.path or "")
        (entry,) = self.received.entries
        return services.inspections.take(self.received.folder / entry.file, entry.sha256, entry.name)


async def weights_file(request: Request, services: ServicesDep) -> AsyncGenerator[WeightsFile, None]:
    """A multipart `file`, streamed to disk, or JSON `{"path"}` or `{"name"}`; a file that is not kept is removed."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
        yield _named(parse_json(await request.body()))
        return
    length = request.headers.get("content-length", "")
    await run_in_threadpool(services.inspections.make_room, int(length) if length.isdecimal() else None)
    received = await receive(request, services.inspections.arrivals, files="file", most=1)
    try:
        if received.fields:
            raise BadQuery("unknown_field", f"Unknown form field `{next(iter(received.fields))[:80]}`; send `file`.")
        if not received.entries:
            raise BadQuery("no_files", "Send a file of weights, as `file`.")
        yield WeightsFile(received=received)
    finally:
        await run_in_threadpool(received.discard)


def _named(body: object) -> WeightsFile:
    if not isinstance(body, dict) or set(body) not in ({"path"}, {"name"}):
        words = 'Send {"path": "..."}, the place of the file on the server, or {"name": "..."}, published weights.'
        raise BadQuery("invalid_body", words)
    ((field, value),) = body.items()
    if not isinstance(value, str):
        raise BadQuery("invalid_body", f"`{field}` is a text.", {"field": field})
    if len(value) > MAX_PATH:
        raise BadQuery("invalid_value", f"`{field}` is too long.", {"field": field})
    return WeightsFile(path=value) if field == "path" else WeightsFile(published=value)


WeightsFileDep = Annotated[WeightsFile, Depends(weights_file)]
_OPENAPI: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                }
            },
            "application/json": {
                "schema": {
                    "oneOf": [
                        {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {field: {"type": "string", "maxLength": MAX_PATH}},
                            "required": [field],
                        }
                        for field in ("path", "name")
                    ]
                }
            },
        },
    }
}


@router.get("/api/checkpoints/inspect")
def list_inspections(services: ServicesDep, settings: SettingsDep) -> Json:
    """The files that were inspected last, newest first; each is kept for a day."""
    return Json({"inspections": [_summary(record, settings) for record in services.inspections.recent()]})


@router.post("/api/checkpoints/inspect", status_code=201, openapi_extra=_OPENAPI)
def inspect_checkpoint(weights: WeightsFileDep, services: ServicesDep, settings: SettingsDep) -> Json:
    """Inspect a file of weights: its format, the networks in it, every tensor. Nothing in it is executed.

    With `name` (`torchvision:resnet50.IMAGENET1K_V2`, `timm:NAME.TAG`) the weights that a library publishes under it;
    they are downloaded if the workspace does not have them. If that fails, 404 `not_fetched` says which file to place
    where.
    """
    return Json(inspection_json(weights.look(services), settings), 201)


@router.get("/api/checkpoints/add")
def what_is_taken(settings: SettingsDep) -> Json:
    """Which formats can be read, how large a file may be, and where to send one."""
    return Json(
        {
            "formats": [
                {"format": key, "name": name, "endings": endings} for key, (name, endings, _) in FORMATS.items()
            ],
            "limit_bytes": settings.checkpoint_bytes,
            "links": {"inspect": settings.url("/api/checkpoints/inspect")},
        }
    )


@router.get("/api/inspections/{inspection}")
def show_inspection(
    inspection: str,
    services: ServicesDep,
    settings: SettingsDep,
    candidate: ChoiceQuery = None,
    architecture: ChoiceQuery = None,
) -> Json:
    """What was found in a file, which is kept for a day. `named` is the report on the `architecture` asked for."""
    record = services.inspections.get(inspection)
    named = None
    if architecture:
        named = services.inspections.report(record, candidate or record.inspection.plausible[0].name, architecture)
    return Json(inspection_json(record, settings, named))


class CheckpointBody(BaseModel):
    """How to register an inspected file; what is left out is decided by what was found in it."""

    model_config = ConfigDict(extra="forbid")

    inspection: str = Field(max_length=64, description="`inspection` of the answer that looked into the file")
    candidate: str | None = Field(None, max_length=300, description="which weights; needed where `choose` is true")
    architecture: str | None = Field(
        None, max_length=200, description="`title` of a guess, or `torchvision:NAME`, `timm:NAME`"
    )
    preprocess: PreprocessBody | str | None = Field(None, description="name of an offered preparation, or its fields")
    name: str | None = Field(None, max_length=100)
    accept_non_finite: bool = Field(False, strict=True, description="register although weights are NaN or infinite")

    @property
    def new(self) -> NewCheckpoint:
        """The body as the service takes it."""
        how = self.preprocess
        return NewCheckpoint(
            inspection=self.inspection,
            candidate=self.candidate,
            architecture=self.architecture,
            preprocess=how.model_dump() if isinstance(how, PreprocessBody) else how,
            name=self.name,
            accept_non_finite=self.accept_non_finite,
        )


@router.post("/api/checkpoints", status_code=201, responses=SAME)
def add_checkpoint(body: CheckpointBody, services: ServicesDep, settings: SettingsDep) -> Json:
    """Register weights of an inspected file as a checkpoint; 200 if the same was registered before."""
    added = services.foreign.add(body.new)
    return Json(summary(added.checkpoint, settings), 201 if added.created else 200)


def inspection_json(record: InspectionRecord, settings: Settings, named: object = None) -> dict[str, object]:
    """An inspection, with the report on the architecture asked for; it names no paths of the server."""
    found = record.inspection
    chosen = {it.name for it in found.plausible}
    return {
        "inspection": record.id,
        "name": record.name,
        "format": found.format,
        "format_name": FORMATS[found.format][0] if found.format in FORMATS else found.format,
        "sha256": found.sha256,
        "bytes": found.bytes,
        "uploaded": record.uploaded,
        "library": record.published,
        "created_at": rfc3339(record.created_at),
        "expires_at": rfc3339(record.expires_at),
        "warnings": list(found.warnings),
        "metadata": dict(found.metadata),
        "choose": len(chosen) > 1,
        "candidates": [candidate_json(it, it.name in chosen, record) for it in found.candidates],
        "named": named,
        "links": {
            "self": settings.url(f"/api/inspections/{record.id}"),
            "page": settings.url(f"/inspections/{record.id}"),
        },
    }


def candidate_json(candidate: WeightsCandidate, plausible: bool, record: InspectionRecord) -> dict[str, object]:
    """One set of weights, with the report on it and its first filters; `plausible` ones are those to choose from."""
    return {
        "name": candidate.name,
        "prefix": candidate.prefix,
        "inner": list(candidate.inner),
        "plausible": plausible,
        "parameters": candidate.parameters,
        "tensors": [_tensor(name, info) for name, info in candidate.tensors.items()],
        "beside": [_tensor(name, info) for name, info in candidate.beside.items()],
        "report": record.reports.get(candidate.name),
        "filters": record.filters.get(candidate.name),
    }


def _summary(record: InspectionRecord, settings: Settings) -> dict[str, object]:
    links = {"self": settings.url(f"/api/inspections/{record.id}")}
    kept = {"format": record.inspection.format, "bytes": record.inspection.bytes}
    return {
        "inspection": record.id,
        "name": record.name,
        **kept,
        "created_at": rfc3339(record.created_at),
        "links": links,
    }


def _tensor(name: str, info: TensorInfo) -> dict[str, object]:
    return {"name": name, **vars(info), "shape": list(info.shape)}
