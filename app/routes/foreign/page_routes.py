"""The page that takes a file of weights, and the page that shows what was found in it and registers it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from app.deps import ServicesDep, SettingsDep
from app.failures import BadQuery, DomainError, NotFound
from app.routes.foreign.add_page import checkpoint_add_context
from app.routes.foreign.inspection_page import NORMALISED, OWN, inspection_context
from app.routes.foreign.routes import WeightsFile, weights_file
from app.routes.jobs.page_routes import FormDep
from app.services.foreign.checkpoints import NewCheckpoint
from app.services.foreign.view import InspectionView, inspection_view
from app.services.services import Services
from app.settings import Settings
from app.web.templating import page
from models.card import CHANNELS

router = APIRouter(include_in_schema=False)

ChoiceQuery = Annotated[str | None, Query(max_length=300)]


async def weights_form(request: Request, services: ServicesDep) -> AsyncIterator[WeightsFile]:
    """The form as sent: a `file`, the `path` of one on the server, or the `name` of published weights."""
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        async with aclosing(weights_file(request, services)) as received:
            async for given in received:
                yield given
        return
    async with request.form(max_files=0, max_fields=4) as form:
        path, name = form.get("path"), form.get("name")
    if isinstance(name, str):
        yield WeightsFile(published=name.strip())
    else:
        yield WeightsFile(path=path if isinstance(path, str) else "")


def _add_page(
    request: Request,
    services: Services,
    settings: Settings,
    *,
    error: DomainError | None = None,
    given: WeightsFile | None = None,
) -> HTMLResponse:
    context = checkpoint_add_context(services.inspections.recent(), given or WeightsFile(), error, settings)
    return page(request, context, status=200 if error is None else error.status)


@router.get("/checkpoints/add")
def add_page(request: Request, services: ServicesDep, settings: SettingsDep) -> HTMLResponse:
    return _add_page(request, services, settings)


@router.post("/checkpoints/add", response_model=None)
def look_into(
    request: Request,
    weights: Annotated[WeightsFile, Depends(weights_form)],
    services: ServicesDep,
    settings: SettingsDep,
) -> HTMLResponse | RedirectResponse:
    try:
        record = weights.look(services)
    except DomainError as error:
        return _add_page(request, services, settings, error=error, given=weights)
    return RedirectResponse(settings.url(f"/inspections/{record.id}"), 303)


@router.get("/inspections/{inspection}")
def inspection_page(
    request: Request,
    inspection: str,
    services: ServicesDep,
    settings: SettingsDep,
    candidate: ChoiceQuery = None,
    architecture: ChoiceQuery = None,
) -> HTMLResponse:
    view = inspection_view(services.inspections, inspection, candidate, architecture)
    return _inspection_page(request, view, settings, error=view.refused)


def _inspection_page(
    request: Request,
    view: InspectionView,
    settings: Settings,
    *,
    error: DomainError | None = None,
    given: Mapping[str, str] | None = None,
) -> HTMLResponse:
    said = "" if error is None else error.message
    context = inspection_context(view, given or _first(view), settings, error=said)
    return page(request, context, status=200 if error is None else error.status)


@router.post("/inspections/{inspection}", response_model=None)
def register(
    request: Request, inspection: str, fields: FormDep, services: ServicesDep, settings: SettingsDep
) -> HTMLResponse | RedirectResponse:
    """Register what the form says and lead to the new checkpoint; a refusal is shown beside what was typed."""
    try:
        added = services.foreign.add(_new(inspection, fields))
    except NotFound:
        raise
    except DomainError as error:
        chosen = fields.get("candidate"), fields.get("architecture")
        view = inspection_view(services.inspections, inspection, *chosen)
        return _inspection_page(request, view, settings, error=error, given={**_first(view), **fields})
    return RedirectResponse(settings.url(f"/checkpoints/{added.checkpoint.slug}"), 303)


def _new(inspection: str, fields: Mapping[str, str]) -> NewCheckpoint:
    """The form as the service takes it. Raises BadQuery."""
    offer = fields.get("preparation") or None
    return NewCheckpoint(
        inspection=inspection,
        candidate=fields.get("candidate") or None,
        architecture=fields.get("architecture") or None,
        preprocess=own_preprocess(fields) if offer == OWN else offer,
        name=fields.get("name", "")[:100] or None,
        accept_non_finite=fields.get("accept_non_finite") == "true",
    )


def own_preprocess(fields: Mapping[str, str]) -> dict[str, Any]:
    """The preparation that was typed: sizes in whole pixels, and a number for each channel. Raises BadQuery."""
    side = _whole(fields, "side", "the input size")
    resize = _whole(fields, "resize", "the size images are brought to") if fields.get("resize") else side
    if fields.get("colour") not in CHANNELS or fields.get("normalise") not in NORMALISED:
        raise BadQuery("bad_preprocess", "Choose the colours and how they are normalised.")
    return {
        "crop": side,
        "region": resize,
        "size": side,
        "trunk_size": side,
        "normalise": fields["normalise"],
        "mean": _numbers(fields, "mean"),
        "std": _numbers(fields, "std"),
        "resize": resize,
        "colour": fields["colour"],
        "scale": 255.0 if fields.get("range") == "255" else 1.0,
    }


def _whole(fields: Mapping[str, str], name: str, words: str) -> int:
    text = fields.get(name, "")
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= 4096:
        raise BadQuery("bad_preprocess", f"Give {words} as a whole number of pixels from 1 to 4096.")
    return int(text)


def _numbers(fields: Mapping[str, str], name: str) -> list[float]:
    parts = fields.get(name, "").replace(",", " ").split()
    try:
        found = [float(part) for part in parts[:5]]
    except ValueError:
        found = []
    if not 1 <= len(found) <= 4:
        words = {"mean": "means", "std": "deviations"}[name]
        raise BadQuery("bad_preprocess", f"Give the {words} as one number for each channel, between commas.")
    return found


def _first(view: InspectionView) -> dict[str, str]:
    """The form as it is shown first: filled in with the most plausible preparation."""
    if not view.offers:
        return {"name": view.name}
    offer = view.offers[0]
    return {"name": view.name, "preparation": offer["name"], **preprocess_fields(offer["preprocess"])}


def preprocess_fields(how: Mapping[str, Any]) -> dict[str, str]:
    """A preparation as the fields of the form."""
    return {
        "side": str(how["trunk_size"] or how["size"]),
        "resize": str(how["resize"] or how["region"]),
        "colour": str(how["colour"]),
        "range": "255" if how["scale"] == 255.0 else "1",
        "normalise": str(how["normalise"]),
        "mean": ", ".join(f"{value:g}" for value in how["mean"]),
        "std": ", ".join(f"{value:g}" for value in how["std"]),
    }
