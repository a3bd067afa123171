"""Lets the whole application live under a base path, whether or not the proxy in front strips it."""

from starlette.types import ASGIApp, Receive, Scope, Send


class BasePath:
    """Makes `/tessera/jobs` and, from a proxy that strips, `/jobs` the same request."""

    def __init__(self, app: ASGIApp, base_path: str) -> None:
        self.app = app
        self.base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.base_path:
            path: str = scope["path"]
            inside = path == self.base_path or path.startswith(f"{self.base_path}/")
            scope = {**scope, "root_path": self.base_path, "path": path if inside else self.base_path + path}
        await self.app(scope, receive, send)
