"""What tells about the server itself: whether it is well, its counts for Prometheus, and the page /docs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse

from app.deps import ServicesDep, SettingsDep
from app.processes import resident_bytes
from app.services.home.workspace import WorkspaceService
from app.settings import Settings
from app.web import api_reference
from app.web.api_reference import Operation
from app.web.frame import PageContext
from app.web.metrics import Requests, metric
from app.web.responses import Json
from app.web.templating import page
from models.versions import own_version

router = APIRouter(include_in_schema=False)

FORMAT = "text/plain; version=0.0.4"


@dataclass(frozen=True)
class DocsOperation:
    """One method of one address. `style` is its CSS class, `headline` the first line of its description.

    `example` is an address that a reader may open as it is, empty where there is none.
    """

    operation: Operation
    style: str
    headline: str
    example: str


@dataclass(frozen=True)
class DocsGroup:
    """The operations about one resource."""

    name: str
    title: str
    operations: Sequence[DocsOperation]


@dataclass(frozen=True)
class DocsContext(PageContext):
    template: ClassVar[str] = "docs.html"
    groups: Sequence[DocsGroup]
    asks_token: bool  # whether requests need a token


@router.get("/healthz")
async def healthz(request: Request) -> Json:
    """Says that the server is alive. `instance` differs for each start of it. Public, so it tells nothing else.

    It runs in the event loop itself: it never waits for a thread, however many requests occupy them.
    """
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


@router.get("/docs")
def docs(request: Request, settings: SettingsDep) -> HTMLResponse:
    """The page about the REST interface, made from /openapi.json."""
    groups = docs_groups(api_reference.groups(request.app.openapi()), settings)
    return page(request, DocsContext(groups, asks_token=settings.token is not None))


def docs_groups(found: Mapping[str, Sequence[Operation]], settings: Settings) -> list[DocsGroup]:
    """The operations as the page shows them."""
    return [
        DocsGroup(name, name.capitalize(), [_docs_operation(operation, settings) for operation in operations])
        for name, operations in found.items()
    ]


def _docs_operation(operation: Operation, settings: Settings) -> DocsOperation:
    can_be_opened = operation.method == "GET" and "{" not in operation.path
    return DocsOperation(
        operation,
        style=operation.method.lower(),
        headline=operation.text.split("\n")[0],
        example=settings.url(operation.path) if can_be_opened else "",
    )
