"""Limits the size and type of request bodies, chunked ones too, and the number of requests that run at once."""

import re

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.errors import answer, route_path
from app.web.sizes import FORM_OVERHEAD, HEADER_LIMIT, IMAGE_LIMIT, MEGABYTE, TEXT_LIMIT, UPLOAD_LIMIT

_WEIGHTS = re.compile(r"(/api)?/checkpoints/(inspect|add)/?")
_UPLOADS = re.compile(r"(/api)?/galleries(/[^/]+/images)?/?")
_TEXT_TYPES = frozenset({"application/json", "application/x-www-form-urlencoded"})
MULTIPART = "multipart/form-data"


def body_limit(content_type: str, path: str, *, weights: int = IMAGE_LIMIT) -> int | None:
    """The most bytes a body of this type may have at `path`; None where the type is not accepted at all.

    `weights` is the limit at the addresses that take a file of weights.
    """
    if content_type in _TEXT_TYPES or (content_type.startswith("application/") and content_type.endswith("+json")):
        return TEXT_LIMIT
    if content_type == MULTIPART:
        if _WEIGHTS.fullmatch(path):
            return weights + FORM_OVERHEAD
        return (UPLOAD_LIMIT if _UPLOADS.fullmatch(path) else IMAGE_LIMIT) + FORM_OVERHEAD
    return None


class BodyLimit:
    """Refuses bodies that are too large (413) or of a type no route takes (415), and too large headers (431)."""

    def __init__(self, app: ASGIApp, *, weights: int = IMAGE_LIMIT) -> None:
        self.app = app
        self.weights = weights

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_LIMIT:
            return await answer(scope, 431, "headers_too_large", "The request's headers are too large.")(
                scope, receive, send
            )
        headers = Headers(scope=scope)
        length = headers.get("content-length")
        if length == "0" or (length is None and "transfer-encoding" not in headers):
            return await self.app(scope, receive, send)
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        limit = body_limit(content_type, route_path(scope), weights=self.weights)
        if limit is None:
            message = "Send application/json or multipart/form-data."
            return await answer(scope, 415, "unsupported_content_type", message)(scope, receive, send)
        if length is not None and int(length) > limit:
            return await _too_large(scope, receive, send, limit)
        await self._counted(scope, receive, send, limit)

    async def _counted(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        """Runs the app on a body that is cut off beyond `limit`; if it was, the answer is 413 whatever the app says."""
        read, exceeded, started = 0, False, False

        async def counted() -> Message:
            nonlocal read, exceeded
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                exceeded = True
                raise HTTPException(413)
            return message

        async def guarded(message: Message) -> None:
            nonlocal started
            if exceeded and not started:
                return
            started = True
            await send(message)

        try:
            await self.app(scope, counted, guarded)
        except HTTPException:
            if not exceeded:
                raise
        if exceeded and not started:
            await _too_large(scope, receive, send, limit)


async def _too_large(scope: Scope, receive: Receive, send: Send, limit: int) -> None:
    message = f"The request is larger than the {limit // MEGABYTE} MB that this address takes."
    await answer(scope, 413, "too_large", message, {"limit_bytes": limit})(scope, receive, send)


class Admission:
    """Answers 503 with Retry-After while `most` requests are running, instead of letting more of them wait."""

    def __init__(self, app: ASGIApp, most: int = 256) -> None:
        self.app = app
        self.most = most
        self.running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or route_path(scope) == "/healthz":
            return await self.app(scope, receive, send)
        if self.running >= self.most:
            message = "Too many requests at once; try again in a moment."
            return await answer(scope, 503, "busy", message, headers={"Retry-After": "1"})(scope, receive, send)
        self.running += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.running -= 1
