"""Writes uploaded files to disk as they arrive, so that memory and open files do not grow with their number."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.failures import BadQuery, BadRequest, WrongType
from app.known_errors import FULL, disk_full
from app.web.file_names import with_plain_name

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

ABANDONED: Final = 24 * 3600.0  # seconds after which an upload that does not grow is removed
MAX_FILES: Final = 10_000
MAX_FIELDS: Final = 50
MAX_FIELD_BYTES: Final = 16 * 1024
MAX_HEADER_BYTES: Final = 16 * 1024
MAX_NAME: Final = 255
NAMES: Final = "names.jsonl"  # in the folder of an upload: every file's name at the client and on disk
FILES: Final = "files"  # the form field whose parts are files


@dataclass(frozen=True, order=True)
class ReceivedFile:
    """One file of a form: its name at the client, the hash of its content, and its name in the folder."""

    name: str
    sha256: str
    file: str


@dataclass(frozen=True)
class Received:
    """A multipart form: its text fields, and its files in `folder` with their names in `names.jsonl`.

    `batch` is a hash of the names and contents of the files, so the same upload always has the same one.
    """

    fields: Mapping[str, str]
    folder: Path
    entries: tuple[ReceivedFile, ...]
    batch: str

    @property
    def files(self) -> int:
        """How many files there are."""
        return len(self.entries)

    def discard(self) -> None:
        """Remove the files."""
        shutil.rmtree(self.folder, ignore_errors=True)


def sweep(parent: Path) -> None:
    """Remove the folders of uploads that the end of the server cut off: those in which nothing changed for a day."""
    for folder in parent.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > ABANDONED:
                shutil.rmtree(folder, ignore_errors=True)


async def receive(request: Request, parent: Path, *, files: str = FILES, most: int = MAX_FILES) -> Received:
    """Read a multipart body into a new folder below `parent`; its form field `files` may bring at most `most` files.

    Raises BadRequest, BadQuery, WrongType, or NoRoom where the disk is full.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        raise WrongType("unsupported_content_type", "Send multipart/form-data.")
    if not options.get(b"boundary"):
        raise BadRequest("malformed_form", "The multipart body has no boundary.")
    await run_in_threadpool(sweep, parent)
    folder = parent / f".{secrets.token_hex(8)}.tmp"
    folder.mkdir(parents=True)
    form = _Form(folder, files, most)
    parser = MultipartParser(options[b"boundary"], form.callbacks())
    try:
        async for chunk in request.stream():
            await run_in_threadpool(parser.write, chunk)
        parser.finalize()
        return form.finish()
    except FormParserError:
        form.discard()
        raise BadRequest("malformed_form", "The multipart body cannot be parsed.") from None
    except OSError as error:
        form.discard()
        if error.errno not in FULL:
            raise
        raise disk_full() from None
    except BaseException:  # also a client that went away: what it sent so far must not stay
        form.discard()
        raise


@dataclass
class _Part:
    name: str
    filename: str | None
    stream: BinaryIO | None = None
    file: str = ""
    size: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    text: bytearray = field(default_factory=bytearray)


class _Form:
    """Turns what the parser reports into text fields and files on disk."""

    def __init__(self, folder: Path, files: str, most: int) -> None:
        self.folder = folder
        self.files, self.most = files, most
        self.fields: dict[str, str] = {}
        self.entries: list[ReceivedFile] = []
        self._header, self._value = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._part: _Part | None = None
        self._ended = False

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._grow(self._header, data[start:end]),
            "on_header_value": lambda data, start, end: self._grow(self._value, data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_part_end": self._close,
            "on_end": self._end,
        }

    def finish(self) -> Received:
        """The form, once its whole body has been parsed. Raises BadRequest where the body ended too early."""
        if not self._ended:
            raise BadRequest("malformed_form", "The multipart body ends too early.")
        entries = sorted(self.entries)
        lines = [json.dumps({"name": it.name, "file": it.file}, ensure_ascii=False) for it in entries]
        (self.folder / NAMES).write_text("".join(line + "\n" for line in lines), "utf-8")
        whole = json.dumps([(it.name, it.sha256) for it in entries])
        batch = hashlib.sha256(whole.encode()).hexdigest()[:32]
        return Received(self.fields, self.folder, tuple(entries), batch)

    def discard(self) -> None:
        if self._part is not None and self._part.stream is not None:
            self._part.stream.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _begin(self) -> None:
        self._headers = {}

    def _grow(self, target: bytearray, data: bytes) -> None:
        target += data
        if len(target) > MAX_HEADER_BYTES:
            raise BadRequest("malformed_form", "A part of the multipart body has too long a header.")

    def _end_header(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _open(self) -> None:
        _, options = parse_options_header(with_plain_name(self._headers.get(b"content-disposition", b"")))
        filename = options.get(b"filename")
        name = options.get(b"name", b"").decode("utf-8", "replace")
        part = self._part = _Part(name, None if filename is None else display_name(filename))
        if part.filename is None:
            if len(self.fields) >= MAX_FIELDS:
                raise BadQuery("too_many_fields", f"A form has at most {MAX_FIELDS} fields.")
            return
        if name != self.files:
            raise BadQuery("unknown_field", f"Files are sent as `{self.files}`, not as `{name[:80]}`.")
        if len(self.entries) >= self.most:
            raise BadQuery("too_many_files", f"One request may bring {self.most} files; send the rest in another.")
        part.file = f"{len(self.entries):06d}"
        part.stream = (self.folder / part.file).open("wb")

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        assert part is not None
        piece = data[start:end]
        part.size += len(piece)
        if part.stream is not None:
            part.stream.write(piece)
            part.digest.update(piece)
        elif part.size > MAX_FIELD_BYTES:
            raise BadQuery("invalid_value", f"The field `{part.name[:80]}` is too long.")
        else:
            part.text += piece

    def _close(self) -> None:
        part = self._part
        assert part is not None
        if part.stream is None:
            self.fields[part.name] = part.text.decode("utf-8", "replace")
            return
        part.stream.close()
        if part.filename or part.size:  # a form's file field that was left empty arrives as a part without either
            self.entries.append(ReceivedFile(part.filename or "unnamed", part.digest.hexdigest(), part.file))

    def _end(self) -> None:
        self._ended = True


def display_name(raw: bytes) -> str:
    """The client's file name as text to show: its last component, without control characters, at most 255 long."""
    last = raw.decode("utf-8", "replace").replace("\\", "/").rsplit("/", 1)[-1]
    clean = "".join(c for c in last if c.isprintable()).strip()
    return clean[-MAX_NAME:]
