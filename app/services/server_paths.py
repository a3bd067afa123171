"""A path that someone names in a request, as the place it really is; only places below the roots are read."""

import os
from pathlib import Path

from app.failures import BadQuery, Forbidden
from app.settings import Settings
from models.galleries.places import inside


def allowed(settings: Settings, path: str, code: str, wanted: str) -> Path:
    """The real place of an absolute path. Raises BadQuery `code` where it is none, Forbidden outside the roots."""
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
