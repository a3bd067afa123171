"""Lets the application run behind a proxy: under a base path that the proxy may strip or keep, and behind TLS."""

from urllib.parse import unquote, urlsplit, urlunsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BasePath:
    """Makes `/tessera/jobs` and, from a proxy that strips the base path, `/jobs` the same request."""

    def __init__(self, app: ASGIApp, base_path: str) -> None:
        self.app = app
        self.base_path = unquote(base_path)  # the paths of requests are decoded already

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.base_path:
            path: str = scope["path"]
            inside = path == self.base_path or path.startswith(f"{self.base_path}/")
            scope = {**scope, "root_path": self.base_path, "path": path if inside else self.base_path + path}
        await self.app(scope, receive, send)


class PathRedirects:
    """Makes redirects to this server name a path only.

    Behind TLS the framework's own redirects, which name the scheme, would lead from https to http.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        host = Headers(scope=scope).get("host")

        async def by_path(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                parts = urlsplit(headers.get("location", ""))
                # A path of two slashes would name another host.
                if parts.netloc and parts.netloc == host and not parts.path.startswith("//"):
                    headers["location"] = urlunsplit(("", "", parts.path or "/", parts.query, parts.fragment))
            await send(message)

        await self.app(scope, receive, by_path)
