"""Resolves paths that are named in requests; only files and folders below the allowed roots may be read."""

import os
from pathlib import Path

from app.failures import BadQuery, Forbidden
from app.settings import Settings
from models.galleries.places import inside


def allowed(settings: Settings, path: str, code: str, wanted: str) -> Path:
    """An absolute path with its links resolved.

    Raises BadQuery for other texts, with `code` and a message that asks for `wanted`; Forbidden outside the roots.
    """
    text = path.strip()
    if not text or "\0" in text:
        raise BadQuery(code, f"Give {wanted}.")
    place = Path(text).expanduser() if text.startswith("~/") else Path(text)
    if not place.is_absolute():
        raise BadQuery(code, f"Give {wanted}; this one is relative.")
    real = Path(os.path.realpath(place))
    if not inside(real, settings.roots):
        raise Forbidden(
            "outside_roots",
            "This place is outside the folders that may be imported from, or hidden. "
            "They are set by TESSERA_ROOTS when the server starts.",
        )
    return real
