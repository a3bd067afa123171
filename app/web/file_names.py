"""Names of uploaded files that a program sends only in the form `filename*=UTF-8''na%C3%AFve.png` (RFC 5987).

Browsers never do, and RFC 7578 forbids it in forms, but some HTTP libraries send every name that is not ASCII so.
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.formparsers import MultiPartParser

_EXTENDED: Final = re.compile(rb";\s*filename\*\s*=\s*\"?([\w-]+)'[^']*'([^;\"]*)\"?", re.IGNORECASE)
_PLAIN: Final = re.compile(rb";\s*filename\s*=", re.IGNORECASE)
_ENCODINGS: Final = {b"utf-8": "utf-8", b"iso-8859-1": "latin-1"}


def with_plain_name(disposition: bytes) -> bytes:
    """A Content-Disposition with the name as `filename` too, where only `filename*` was sent."""
    found = _EXTENDED.search(disposition)
    if found is None or _PLAIN.search(disposition) or found[1].lower() not in _ENCODINGS:
        return disposition
    name = unquote_to_bytes(found[2]).decode(_ENCODINGS[found[1].lower()], "replace")
    quoted = name.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ")
    return disposition + b'; filename="' + quoted.encode() + b'"'


class NamedParts(MultiPartParser):
    """Starlette's parser of forms, which takes such names too; otherwise a file would pass for a text field."""

    def on_header_end(self) -> None:
        """Add the plain name to a part's header before it is read."""
        if self._current_partial_header_name.lower() == b"content-disposition":
            self._current_partial_header_value = with_plain_name(self._current_partial_header_value)
        super().on_header_end()
