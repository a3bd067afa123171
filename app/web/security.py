"""Guards every request: host names, requests from other sites, the token; and the security headers of every answer.

All are pure ASGI middlewares, so that server-sent events stream through them. The attack they are made for: the server
listens on loopback, and every web page that the user has open can send requests there.
"""

import hashlib
import hmac
import re
from collections.abc import Collection
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.failures import Forbidden
from app.settings import Settings
from app.web.errors import answer, route_path, wants_page

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PUBLIC_PATHS = frozenset({"/healthz", "/login"})
PUBLIC_PREFIX = "/static/"

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' blob: data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: it makes browsers send `Origin: null` with our own forms, and null is refused below.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}
IMAGE_POLICY = "default-src 'none'; sandbox"

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class AnswerHeaders:
    """Puts the security headers on every answer, except those that the handler has set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("image/"):
                    headers.setdefault("Content-Security-Policy", IMAGE_POLICY)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers)


class AllowedHosts:
    """Refuses requests for host names that are not ours, on any port: a page can point its own name at 127.0.0.1."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self.app = app
        self.names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        hosts = Headers(scope=scope).getlist("host")
        if len(hosts) != 1 or self._name(hosts[0]) not in self.names:
            message = "This server does not go by that name. If it should, add the name to TESSERA_ALLOWED_HOSTS."
            return await answer(scope, 400, "bad_host", message)(scope, receive, send)
        if not scope["path"].startswith("/"):  # "GET http://other/ HTTP/1.1": the address names another server
            return await answer(scope, 400, "bad_request", "Ask for a path.")(scope, receive, send)
        if "\0" in scope["path"]:
            return await answer(scope, 404, "not_found", "There is nothing at this address.")(scope, receive, send)
        await self.app(scope, receive, send)

    @staticmethod
    def _name(host: str) -> str | None:
        match = _HOST.fullmatch(host.lower())
        return match[1].strip("[]") if match else None


class SameOrigin:
    """Lets a request that may change something pass only from our own pages, or from no page at all.

    With an Origin, its host and port must be those of the Host header, or its host one of `names`, by which a proxy is
    reached that passes on another Host; `null` is refused. With Sec-Fetch-Site, it must be same-origin or none. A
    request with neither comes from a program, as browsers always send one of them across sites. Event streams are held
    to the same rule, as they are long-lived and cost a connection.
    """

    def __init__(self, app: ASGIApp, names: Collection[str] = ()) -> None:
        self.app = app
        self.names = {name.lower().strip("[]") for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        guarded = scope["method"] not in SAFE_METHODS or "text/event-stream" in headers.get("accept", "")
        if guarded and not self._ours(headers):
            message = (
                "Requests from other sites are refused. Behind a proxy, let it pass on the Host header as the browser "
                "sent it, or name the public host in TESSERA_ALLOWED_HOSTS."
            )
            return await answer(scope, 403, "cross_origin", message)(scope, receive, send)
        await self.app(scope, receive, send)

    def _ours(self, headers: Headers) -> bool:
        origins, site = headers.getlist("origin"), headers.get("sec-fetch-site")
        if len(origins) > 1 or site not in (None, "same-origin", "none"):
            return False
        if not origins:
            return True
        scheme, _, netloc = origins[0].lower().partition("://")
        if scheme not in _DEFAULT_PORTS or not netloc:
            return False
        origin = _with_port(netloc, scheme)
        if origin is None:
            return False
        return origin[0].strip("[]") in self.names or origin == _with_port(headers["host"].lower(), scheme)


def _with_port(host: str, scheme: str) -> tuple[str, str] | None:
    """(name, port) of a host, with the scheme's own port where none is given; None if it is not a valid host."""
    match = _HOST.fullmatch(host)
    return (match[1], match[2] or _DEFAULT_PORTS[scheme]) if match else None


def cookie_name(port: int) -> str:
    """The name of the cookie. It has the port in it, as browsers send a cookie to every port of a host."""
    return f"tessera_{port}"


def cookie_value(token: str) -> str:
    """A value that proves knowledge of the token, and from which the token cannot be computed."""
    return hmac.new(token.encode(), b"tessera session", hashlib.sha256).hexdigest()


def same_text(given: str, expected: str) -> bool:
    """Whether two secrets are equal, in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))


def local_path(path: str) -> str:
    """`path` if it is a path of this server, else "/", so that a redirect never leads to another site."""
    parts = urlsplit(path)
    unsafe = parts.scheme or parts.netloc or path.startswith("//") or "\\" in path or not path.isprintable()
    return path if path.startswith("/") and not unsafe else "/"


class Token:
    """Asks every request for the token, as `Authorization: Bearer` or as the cookie that /login sets."""

    def __init__(self, app: ASGIApp, *, token: str, port: int, base_path: str) -> None:
        self.app = app
        self.token = token
        self.cookie = cookie_name(port), cookie_value(token)
        self.base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._public(route_path(scope)) or self._known(Headers(scope=scope)):
            return await self.app(scope, receive, send)
        if wants_page(scope) and scope["method"] in SAFE_METHODS:
            query = scope["query_string"].decode("latin-1")
            here = self.base_path + quote(route_path(scope)) + (f"?{query}" if query else "")
            login = RedirectResponse(f"{self.base_path}/login?next={quote(here, safe='')}", status_code=303)
            return await login(scope, receive, send)
        message = "This server asks for a token: send `Authorization: Bearer ...`, or sign in at /login."
        refusal = answer(scope, 401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})
        await refusal(scope, receive, send)

    @staticmethod
    def _public(path: str) -> bool:
        return path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIX)

    def _known(self, headers: Headers) -> bool:
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and same_text(credentials.strip(), self.token):
            return True
        name, value = self.cookie
        return same_text(cookie_parser(headers.get("cookie", "")).get(name, ""), value)


def check_exposure(settings: Settings) -> None:
    """Raises Forbidden if other machines could reach the server and no token is set."""
    if settings.beyond_loopback and settings.token is None:
        message = (
            f"Other machines can reach {settings.host}, so a token is required. This would work: "
            f'TESSERA_TOKEN="$(openssl rand -hex 32)" tessera serve --host {settings.host}. '
            "To stay private, keep the default host and use `ssh -L`."
        )
        raise Forbidden("token_required", message)
