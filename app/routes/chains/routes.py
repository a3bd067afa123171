"""Addresses of knowledge transfer: the form, the chains, and one chain drawn as a pipeline."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from app.deps import LimitQuery, ServicesDep, SettingsDep
from app.routes.chains import pages as chain_pages
from app.routes.chains.pages import ChainForm
from app.routes.jobs.routes import job_json
from app.services.chains.plan import ChainSpec
from app.services.chains.service import Chain, Link
from app.settings import Settings
from app.web.json_times import rfc3339
from app.web.responses import Json

router = APIRouter()

CursorQuery = Annotated[str | None, Query(max_length=64)]
BeginQuery = Annotated[str | None, Query(max_length=400)]
Spec = Annotated[
    dict[str, Any],
    Body(
        examples=[{"checkpoint": "hog", "cluster_gallery": "photos", "k": 100}],
        description=f"A chain: {', '.join(ChainSpec.model_fields)}",
    ),
]


def link_json(link: Link, settings: Settings) -> dict[str, object]:
    """One link of a chain: its state, the artefact it makes and the job that makes it."""
    job = None if link.job is None else job_json(link.job, settings)
    return {
        "step": link.step,
        "state": link.state,
        "progress": link.share,
        "gallery": link.gallery or None,
        "artefact": {"kind": link.kind, "slug": link.slug},
        "error": None if job is None else job["error"],
        "job": job,
        "links": {"page": settings.url(link.page)} if link.page else {},
    }


def chain_json(chain: Chain, settings: Settings) -> dict[str, object]:
    """A chain with its links in order."""
    here = f"/chains/{chain.id}"
    return {
        "id": str(chain.id),
        "name": chain.name,
        "state": chain.state,
        "spec": chain.spec.model_dump(mode="json"),
        "chain": [link_json(link, settings) for link in chain.links],
        "created_at": rfc3339(chain.created_at),
        "links": {
            "self": settings.url(f"/api{here}"),
            "page": settings.url(here),
            "resume": settings.url(f"/api{here}/resume"),
            "cancel": settings.url(f"/api{here}/cancel"),
        },
    }


@router.post("/api/chains", status_code=202, responses={200: {"description": "the same chain, with nothing to do"}})
def start_chain(spec: Spec, services: ServicesDep, settings: SettingsDep) -> Json:
    """Start a whole chain: 202, or 200 if the same chain has nothing left to do; its broken links are started again."""
    chain, new = services.chains.start(spec)
    return Json(chain_json(chain, settings), 202 if new else 200)


@router.get("/api/chains")
def list_chains(
    services: ServicesDep, settings: SettingsDep, limit: LimitQuery = 20, cursor: CursorQuery = None
) -> Json:
    """Chains, newest first."""
    found = services.chains.list(limit=limit, cursor=cursor)
    return Json({"chains": [chain_json(chain, settings) for chain in found.chains], "next": found.next})


@router.get("/api/chains/{chain}")
def show_chain(chain: str, services: ServicesDep, settings: SettingsDep) -> Json:
    """One chain as it is now."""
    return Json(chain_json(services.chains.get(chain), settings))


@router.post("/api/chains/{chain}/resume", status_code=202, responses={200: {"description": "no link is broken"}})
def resume_chain(chain: str, services: ServicesDep, settings: SettingsDep) -> Json:
    """Start every link that failed or was cancelled again; the links after it go on from there."""
    found, new = services.chains.resume(chain)
    return Json(chain_json(found, settings), 202 if new else 200)


@router.post("/api/chains/{chain}/cancel", status_code=202)
def cancel_chain(chain: str, services: ServicesDep, settings: SettingsDep) -> Json:
    """Cancel every link that waits or runs; 409 if there is none."""
    return Json(chain_json(services.chains.cancel(chain), settings), 202)


@router.get("/transfer", include_in_schema=False)
def transfer_page(
    request: Request,
    services: ServicesDep,
    checkpoint: BeginQuery = None,
    scan: BeginQuery = None,
    clustering: BeginQuery = None,
    cursor: CursorQuery = None,
) -> HTMLResponse:
    given = {"checkpoint": checkpoint, "scan": scan, "clustering": clustering}
    begin = next((f"{kind}:{slug}" for kind, slug in given.items() if slug), None)
    return chain_pages.show_form(request, services, begin=begin, cursor=cursor)


@router.post("/transfer", include_in_schema=False)
def start_from_form(
    form: Annotated[ChainForm, Form()], services: ServicesDep, settings: SettingsDep
) -> RedirectResponse:
    """Start the chain that the form describes."""
    chain, _ = services.chains.start(form.spec())
    return RedirectResponse(settings.url(f"/chains/{chain.id}"), status_code=303)


@router.get("/chains/{chain}", include_in_schema=False)
def chain_page(request: Request, chain: str, services: ServicesDep) -> HTMLResponse:
    return chain_pages.show_chain(request, services, chain)


@router.post("/chains/{chain}/resume", include_in_schema=False)
def resume_from_page(chain: str, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Start the broken links again, and show the chain."""
    services.chains.resume(chain)
    return RedirectResponse(settings.url(f"/chains/{chain}"), status_code=303)


@router.post("/chains/{chain}/cancel", include_in_schema=False)
def cancel_from_page(chain: str, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Cancel the links that wait or run, and show the chain."""
    services.chains.cancel(chain)
    return RedirectResponse(settings.url(f"/chains/{chain}"), status_code=303)
