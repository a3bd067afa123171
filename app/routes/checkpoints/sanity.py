"""Do a checkpoint's features make sense? The check as page and JSON, and using the preparation that it suggests."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from app.deps import ServicesDep, SettingsDep
from app.failures import NotFound
from app.routes.checkpoints.bodies import SAME, PreprocessBody
from app.routes.checkpoints.routes import summary
from app.routes.checkpoints.sanity_page import sanity_context
from app.services.checkpoints.sanity import check_on, checks
from app.web.responses import Json
from app.web.templating import page
from models.card import preprocess_of
from models.sanity.report import Sanity, Share

router = APIRouter()

OnQuery = Annotated[str | None, Query(max_length=200)]
Slug = Annotated[str, Form(max_length=200)]


class OtherPreparation(BaseModel):
    """Another preprocessing for the same weights."""

    model_config = ConfigDict(extra="forbid")

    preprocess: PreprocessBody
    name: str | None = Field(None, max_length=100)


def sanity_json(found: Sanity) -> dict[str, object]:
    """A check with its verdict; every share has its standard error."""
    shares = {name: _share(getattr(found, name)) for name in ("own", "own_untrained", "gain", "better")}
    variants = [
        {**asdict(one), **{name: _share(getattr(one, name)) for name in ("first", "second", "untrained", "gain")}}
        for one in found.variants
    ]
    layers = {
        name: [{**asdict(it), "flag": it.flag} for it in getattr(found, name)]
        for name in ("layers", "untrained_layers")
    }
    verdict = {"verdict": found.verdict, "sentence": found.sentence, "advice": found.advice}
    return {**asdict(found), **shares, **layers, "variants": variants, **verdict}


def _share(share: Share | None) -> dict[str, float] | None:
    return None if share is None else {**asdict(share), "error": share.error}


@router.get("/api/checkpoints/{checkpoint}/sanity")
def show_sanity(checkpoint: str, services: ServicesDep) -> Json:
    """Every check of the checkpoint: verdict, 20-NN accuracy beside the untrained network, preparations, layers."""
    return Json({"checks": [sanity_json(it) for it in checks(services.checkpoints.get(checkpoint))]})


@router.post("/api/checkpoints/{checkpoint}/preparation", status_code=201, responses=SAME)
def prepare_otherwise(checkpoint: str, body: OtherPreparation, services: ServicesDep, settings: SettingsDep) -> Json:
    """Register the same weights with other preprocessing; 200 if that was registered before."""
    added = services.foreign.reprepare(checkpoint, preprocess_of(body.preprocess.model_dump()), name=body.name)
    return Json(summary(added.checkpoint, settings), 201 if added.created else 200)


@router.get("/checkpoints/{checkpoint}/sanity", include_in_schema=False)
def sanity_page(
    request: Request, checkpoint: str, services: ServicesDep, settings: SettingsDep, on: OnQuery = None
) -> HTMLResponse:
    record = services.checkpoints.get(checkpoint)
    card, found = services.checkpoints.read_card(record), check_on(record, on)
    galleries = [item.pair for item in services.galleries.filled()]
    return page(request, sanity_context(record, card, found, checks(record), galleries, settings))


@router.post("/start/sanity", include_in_schema=False)
def start_sanity(checkpoint: Slug, gallery: Slug, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Check a checkpoint on a gallery, with the default settings."""
    job, _ = services.jobs.submit("sanity", {"checkpoint": checkpoint, "gallery": gallery})
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)


@router.post("/checkpoints/{checkpoint}/preparation", include_in_schema=False)
def use_variant(
    checkpoint: str,
    gallery: Slug,
    variant: Annotated[int, Form(ge=0, le=100)],
    services: ServicesDep,
    settings: SettingsDep,
) -> RedirectResponse:
    """Register the weights with the preparation number `variant` of the check on `gallery`."""
    found = check_on(services.checkpoints.get(checkpoint), gallery)
    if found is None or variant >= len(found.variants):
        raise NotFound("unknown_preparation", "This check has no such preparation.")
    added = services.foreign.reprepare(checkpoint, found.variants[variant].preprocess)
    return RedirectResponse(settings.url(f"/checkpoints/{added.checkpoint.slug}"), status_code=303)
