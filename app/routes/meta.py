"""About the server itself: is it well, what does it count, what can it be asked."""

import os

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse

from app.deps import ServicesDep
from app.services.workspace import WorkspaceService
from app.web import api_reference
from app.web.metrics import Requests, metric
from app.web.responses import Json
from app.web.templating import page
from models.versions import own_version

router = APIRouter(include_in_schema=False)

FORMAT = "text/plain; version=0.0.4"


@router.get("/healthz")
def healthz(request: Request) -> Json:
    """Alive; `instance` tells one run of the server from another. Public, so it tells nothing else."""
    return Json({"status": "ok", "version": own_version(), "instance": request.app.state.instance})


@router.get("/metrics")
def metrics(request: Request, services: ServicesDep) -> PlainTextResponse:
    """What the server counts, for Prometheus."""
    requests: Requests = request.app.state.requests
    workspace = WorkspaceService(services.store)
    things = [({"kind": kind}, count) for kind, count in sorted(workspace.counts().items())]
    states = [({"state": state}, count) for state, count in sorted(workspace.states().items())]
    lines = [
        *requests.lines(),
        *metric("tessera_jobs", "gauge", "Jobs by state.", states),
        *metric("tessera_resources", "gauge", "Galleries, checkpoints, scans and jobs.", things),
        *metric("tessera_resident_bytes", "gauge", "Memory of the server process.", [({}, resident_bytes())]),
    ]
    return PlainTextResponse("\n".join(lines) + "\n", media_type=FORMAT)


def resident_bytes() -> int:
    """Memory that this process holds; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """The REST interface, from /openapi.json."""
    return page(request, "docs.html", groups=api_reference.groups(request.app.openapi()))
