"""Turns every failure into an HTTP answer: `{"error": {"code", "message", "detail"}}`, or a page for a browser."""

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.failures import Busy, DomainError
from app.known_errors import known_error
from app.web.frame import PageContext
from app.web.responses import Json

log = logging.getLogger(__name__)

CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_content_type",
}
MESSAGES = {404: "There is nothing at this address.", 405: "This address does not take that method."}


@dataclass(frozen=True)
class ErrorContext(PageContext):
    """Says why there is no page. `phrase` is HTTP's name of the status, `tone` the colour of its badge.

    `again` is the number of seconds after which the browser asks again, None if it should not.
    """

    template: ClassVar[str] = "error.html"
    phrase: str
    status: int
    tone: str
    code: str
    message: str
    again: str | None


def route_path(scope: Scope) -> str:
    """The path of a request without the base path."""
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path or "/"


def wants_page(scope: Scope) -> bool:
    """Whether the client is a browser on a page, and not a program or the JSON twin."""
    path = route_path(scope)
    accepts = Headers(scope=scope).get("accept", "")
    return "text/html" in accepts and path != "/api" and not path.startswith("/api/")


def answer(
    scope: Scope,
    status: int,
    code: str,
    message: str,
    detail: object = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer to a request that failed: a page for a browser, JSON for everybody else."""
    if wants_page(scope):
        context = ErrorContext(
            phrase=HTTPStatus(status).phrase,
            status=status,
            tone="bad" if status >= 500 else "warn",
            code=code,
            message=message,
            again=(headers or {}).get("Retry-After") if scope["method"] == "GET" else None,
        )
        return HTMLResponse(scope["app"].state.pages.render(context, route_path(scope)), status, headers)
    return Json({"error": {"code": code, "message": message, "detail": detail}}, status, headers)


def install(app: FastAPI) -> None:
    """Map domain errors, validation errors and HTTP errors of `app` to answers."""
    app.add_exception_handler(DomainError, _domain_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(OverflowError, _too_big)
    app.add_exception_handler(UnicodeError, _not_text)


def _domain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError)
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, Busy) else None
    return answer(request.scope, error.status, error.code, error.message, error.detail, headers)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    if status < 400:
        return Response(status_code=status, headers=error.headers)
    known = error.detail and error.detail != HTTPStatus(status).phrase
    message = str(error.detail) if known else MESSAGES.get(status, HTTPStatus(status).phrase + ".")
    headers = {"Allow": _allowed(request)} if status == 405 else error.headers
    return answer(request.scope, status, CODES.get(status, f"http_{status}"), message, headers=headers)


def _allowed(request: Request) -> str:
    """The methods of all routes at an address; the router itself names only those of the first."""
    routes = [route for route in request.app.state.routes if route.matches(request.scope)[0] is not Match.NONE]
    methods = {method for route in routes for method in getattr(route, "methods", None) or ()}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def _invalid_request(request: Request, error: Exception) -> Response:
    """The message names the first field that is wrong. It never repeats the value, which may be huge or not finite."""
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return answer(request.scope, 400, "malformed_json", "The body is not valid JSON.")
    if _expected_json(request, problems):
        return answer(request.scope, 415, "unsupported_content_type", "This address takes application/json.")
    detail = [{"field": _field(problem["loc"]), "message": str(problem["msg"])[:300]} for problem in problems[:20]]
    first = detail[0]
    return answer(request.scope, 422, "invalid_value", f"`{first['field']}`: {first['message']}.", detail)


def _expected_json(request: Request, problems: Sequence[Mapping[str, object]]) -> bool:
    """Whether a body that should have been JSON was sent as something else."""
    content_type = request.headers.get("content-type", "application/json")
    return "json" not in content_type and any(problem["loc"] == ("body",) for problem in problems)


def _field(loc: Sequence[object]) -> str:
    """Where a field is, such as `spec.config.steps`, without the part of the request (body, query) it came in."""
    parts = [str(part)[:80] for part in loc]
    return ".".join(parts[1:] if len(parts) > 1 else parts)


def _too_big(request: Request, _error: Exception) -> Response:
    return answer(request.scope, 422, "number_too_large", "A number in this request is larger than can be stored.")


def _not_text(request: Request, _error: Exception) -> Response:
    return answer(request.scope, 422, "invalid_text", "Some text in this request is not valid Unicode.")


class CatchErrors:
    """ASGI middleware that answers a bug with a 500 that names the entry in the log, never with a stack trace."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            known = known_error(error)
            if known is not None and not started:
                log.warning("%s %s: %s", scope["method"], route_path(scope), known.message)
                headers = {"Retry-After": str(known.retry_after)} if isinstance(known, Busy) else None
                refusal = answer(scope, known.status, known.code, known.message, known.detail, headers)
                return await refusal(scope, receive, send)
            incident = secrets.token_hex(4)
            log.exception("incident %s: %s %s", incident, scope["method"], route_path(scope))
            if started:
                raise
            message = f"Something went wrong here; the server's log tells more under incident {incident}."
            response = answer(scope, 500, "internal_error", message, {"incident": incident})
            await response(scope, receive, send)
