"""The JSON response of every route: valid JSON whatever the numbers are."""

import json
import math

from starlette.responses import JSONResponse


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
    """Compact UTF-8 JSON; NaN and infinities, which JSON has no word for, become null."""

    def render(self, content: object) -> bytes:
        try:
            return _dump(content)
        except ValueError:
            return _dump(finite(content))


def _dump(content: object) -> bytes:
    # Lone surrogates (file names that are not UTF-8) cannot be encoded: they are shown as replacement characters.
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", errors="replace")
