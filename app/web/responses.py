"""JSON answers that stay valid with NaN and infinities, and what the OpenAPI document says of other answers."""

import json
import math
from typing import Any

from pydantic import BaseModel
from starlette.responses import JSONResponse

Documented = dict[int | str, dict[str, Any]]
BINARY = "application/octet-stream"


class Error(BaseModel):
    """`code` is for programs, `message` for people, `detail` for both."""

    code: str
    message: str
    detail: Any


class ErrorAnswer(BaseModel):
    """Why a request was refused."""

    error: Error


REFUSALS: Documented = {
    "4XX": {"model": ErrorAnswer, "description": "refused: malformed, not valid, unknown, or in conflict"},
    503: {"model": ErrorAnswer, "description": "busy; Retry-After says when to ask again"},
}


def answers(*media_types: str) -> Documented:
    """The argument `responses` of a route whose answer is not, or not always, JSON."""
    return {200: {"content": {media_type: {} for media_type in media_types}}}


def attachment(name: str) -> dict[str, str]:
    """The header that makes a browser store an answer as a file of that name."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def finite(value: object) -> object:
    """`value` with NaN and infinities replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


class Json(JSONResponse):
    """Compact UTF-8 JSON; NaN and infinities, which JSON does not have, become null."""

    def render(self, content: object) -> bytes:
        try:
            return _dump(content)
        except ValueError:
            return _dump(finite(content))


def _dump(content: object) -> bytes:
    # Lone surrogates (file names that are not UTF-8) cannot be encoded: they are shown as replacement characters.
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", errors="replace")
