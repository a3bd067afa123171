"""Serves style sheets, scripts and pictures; the version in their addresses lets browsers keep them for ever."""

from starlette import staticfiles
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import Scope

from app.web.templating import static_version

FOR_EVER = "public, max-age=31536000, immutable"
ASK_FIRST = "no-cache"


class StaticFiles(staticfiles.StaticFiles):
    """Lets a browser keep `/static/x.css?v=...` if the version is the present one; else it must ask each time."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code in (200, 206, 304):
            version = QueryParams(scope["query_string"]).get("v")
            response.headers["Cache-Control"] = FOR_EVER if version == static_version(path) else ASK_FIRST
        return response
