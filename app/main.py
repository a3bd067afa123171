"""The web application: `create_app(settings)` builds it, and its lifespan starts the processes that it needs."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute

import app.threads  # noqa: F401
from app.inspector.client import Inspector
from app.jobs.launch import SupervisorProcess
from app.predictor.client import Predictor
from app.routes import login, meta, query_images
from app.routes.chains import routes as chains
from app.routes.checkpoints import compare, evaluations, exports, filters, glyphs, sanity
from app.routes.checkpoints import routes as checkpoints
from app.routes.clusters import routes as clusters
from app.routes.counting import routes as counting
from app.routes.foreign import page_routes as inspection_pages
from app.routes.foreign import routes as inspections
from app.routes.galleries import routes as galleries
from app.routes.galleries import truth
from app.routes.home import routes as home
from app.routes.jobs import routes as jobs
from app.routes.results import routes as results
from app.routes.scans import embeddings, tuning
from app.routes.scans import routes as scans
from app.routes.search import routes as search
from app.routes.training import labs
from app.routes.training import routes as tasks
from app.routes.units import routes as units
from app.services.assembly import build_services
from app.settings import Settings
from app.web import errors
from app.web.errors import CatchErrors
from app.web.head_requests import HeadAsGet
from app.web.limits import Admission, BodyLimit
from app.web.metrics import CountRequests, Requests
from app.web.mounting import BasePath, PathRedirects
from app.web.responses import REFUSALS, Json
from app.web.security import AllowedHosts, AnswerHeaders, SameOrigin, Token, check_exposure
from app.web.static_files import StaticFiles
from app.web.templating import STATIC, Pages

ROUTERS = (
    home,
    galleries,
    inspections,
    inspection_pages,
    checkpoints,
    evaluations,
    exports,
    sanity,
    compare,
    results,
    filters,
    glyphs,
    counting,
    scans,
    clusters,
    truth,
    tuning,
    embeddings,
    units,
    search,
    query_images,
    chains,
    jobs,
    labs,
    tasks,
    meta,
    login,
)
GZIP_FROM = 1024  # bytes


def create_app(settings: Settings, *, start_children: bool = True) -> FastAPI:
    """The application of one workspace. Raises Forbidden where the settings would expose it without a token."""
    check_exposure(settings)
    requests = Requests()
    application = FastAPI(
        title="Tessera",
        summary="Looks inside self-supervised networks.",
        lifespan=_lifespan(start_children),
        middleware=_middleware(settings, requests),
        default_response_class=Json,
        responses=REFUSALS,
        docs_url=None,
        redoc_url=None,
    )
    predictor, inspector = Predictor(settings), Inspector()
    application.state.settings = settings
    application.state.pages = Pages(settings)
    application.state.requests = requests
    application.state.instance = secrets.token_hex(8)
    application.state.routes = [route for module in ROUTERS for route in _flat(module.router)]
    application.state.stopping = False  # streams of events end when it is True
    application.state.predictor = predictor
    application.state.inspector = inspector
    application.state.services = build_services(settings, predictor=predictor, inspector=inspector)
    errors.install(application)
    for module in ROUTERS:
        application.include_router(module.router)
    application.mount("/static", StaticFiles(directory=STATIC), name="static")
    return application


def _flat(router: APIRouter) -> Iterator[BaseRoute]:
    """The routes of a router and of the routers that it includes."""
    for route in router.routes:
        inner = getattr(route, "original_router", None)
        if inner is None:
            yield route
        else:
            yield from _flat(inner)


def _middleware(settings: Settings, requests: Requests) -> list[Middleware]:
    """The middleware, the outermost first."""
    token = settings.token
    guard = [Middleware(Token, token=token, port=settings.port, base_path=settings.base_path)] if token else []
    return [
        Middleware(CountRequests, requests=requests),
        Middleware(AnswerHeaders),
        Middleware(AllowedHosts, names=settings.host_names),
        Middleware(PathRedirects),
        Middleware(BasePath, base_path=settings.base_path),
        Middleware(SameOrigin, names=settings.allowed_hosts),
        *guard,
        Middleware(Admission),
        Middleware(BodyLimit, weights=settings.checkpoint_bytes),
        Middleware(HeadAsGet),
        Middleware(GZipMiddleware, minimum_size=GZIP_FROM, compresslevel=5),
        Middleware(CatchErrors),
    ]


def _lifespan(start_children: bool) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(application: FastAPI) -> AsyncIterator[None]:
        predictor = cast(Predictor, application.state.predictor)
        inspector = cast(Inspector, application.state.inspector)
        supervisor = SupervisorProcess(application.state.settings)
        if start_children:  # all three start in the background
            predictor.start()
            supervisor.start()
            inspector.warm(after=predictor.wait_ready)
        yield
        application.state.stopping = True
        if start_children:
            await asyncio.gather(asyncio.to_thread(predictor.close), asyncio.to_thread(supervisor.close))
        await asyncio.to_thread(inspector.close)
        application.state.services.store.close()

    return lifespan
