"""Renders pages: the Jinja environment, and `page(request, context)`, which fills the template the context names."""

import hashlib
from functools import lru_cache
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.root import ROOT
from app.settings import Settings
from app.web import formats
from app.web.frame import Globals, PageContext, frame, variables

TEMPLATES = ROOT / "templates"
STATIC = ROOT / "static"


class Pages:
    """Renders the templates, with links that begin with the application's base path."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters.update(
            ago=formats.ago,
            number=formats.number,
            amount=formats.amount,
            bytes=formats.file_size,
            duration=formats.duration,
            percent=formats.percent,
            count=formats.count,
            time=formats.timestamp,
            coded=formats.coded,
        )
        self.environment.globals.update(
            variables(Globals(settings.url, lambda name: settings.url(f"/static/{name}?v={static_version(name)}")))
        )

    def render(self, context: PageContext, path: str) -> str:
        """The page at `path`, which is without the base path."""
        named = {**variables(frame(self.settings, path)), **variables(context)}
        return self.environment.get_template(context.template).render(named)


def page(request: Request, context: PageContext, *, status: int = 200) -> HTMLResponse:
    """The HTML answer with the page that `context` fills."""
    pages: Pages = request.app.state.pages
    path = request.scope["path"].removeprefix(request.scope.get("root_path", "")) or "/"
    return HTMLResponse(pages.render(context, path), status_code=status)


@lru_cache(maxsize=256)
def _version(path: Path, _modified: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]


def static_version(name: str) -> str:
    """A hash of the present content of a static file; in its address it lets browsers keep the file for ever."""
    path = STATIC / name
    try:
        return _version(path, path.stat().st_mtime_ns)
    except OSError:
        return "0"
