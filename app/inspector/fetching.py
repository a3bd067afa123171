"""Downloads one file of published weights: `python -m app.inspector.fetching URL FILE BYTES`, a process of its own.

It writes to a name beside FILE and renames it when it is complete. Its last line is JSON, {"sha256"} or
{"failure": {"code", "message"}}. It has no time limit for the whole file; its caller ends it.
"""

import hashlib
import http.client
import json
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from app.inspector.limits import die_with_parent

PIECE: Final = 1 << 20
QUIET: Final = 20.0  # seconds without data after which a connection is given up
AGENT: Final = {"User-Agent": "tessera"}


class NotFetched(Exception):
    """The file could not be downloaded; `code` is for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SameScheme(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to another scheme."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in {"https", urlsplit(req.full_url).scheme}:
            raise NotFetched("not_fetched", "The server points to a place that is not encrypted.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(url: str, file: Path, *, limit: int) -> str:
    """Download `url` to `file`, at most `limit` bytes; returns the SHA-256. Raises NotFetched."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise NotFetched("not_fetched", "Only http and https addresses are fetched from.")
    part = file.with_name(f".{file.name}.part")
    try:
        opener = urllib.request.build_opener(SameScheme)
        with opener.open(urllib.request.Request(url, headers=AGENT), timeout=QUIET) as answer, part.open("wb") as out:
            digest = _copy(answer, out, int(answer.headers.get("Content-Length") or 0), limit)
        part.replace(file)
    except urllib.error.HTTPError as error:
        raise NotFetched("not_fetched", f"The server answers with {error.code} {error.reason}.") from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise NotFetched("not_fetched", f"There is no connection: {_reason(error)}.") from None
    finally:
        part.unlink(missing_ok=True)
    return digest


def _copy(answer: IO[bytes], out: IO[bytes], length: int, limit: int) -> str:
    large = NotFetched("file_too_large", f"The file has more than the {limit:,} bytes that are taken.")
    if length > limit:
        raise large
    digest, size = hashlib.sha256(), 0
    while piece := answer.read(PIECE):
        size += len(piece)
        if size > limit:
            raise large
        digest.update(piece)
        out.write(piece)
    if length and size != length:
        raise NotFetched("not_fetched", f"The connection broke after {size:,} of {length:,} bytes.")
    return digest.hexdigest()


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    if isinstance(cause, socket.gaierror):
        return "the name of the server cannot be resolved"
    return str(cause)[:200] or type(cause).__name__


def main(url: str, file: str, limit: str) -> None:
    """Download, and print the result as JSON."""
    die_with_parent()
    try:
        said: dict[str, object] = {"sha256": fetch(url, Path(file), limit=int(limit))}
    except NotFetched as error:
        said = {"failure": {"code": error.code, "message": str(error)}}
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
