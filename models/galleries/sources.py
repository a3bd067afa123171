"""The sources of a gallery's images: each lists its images in the order of their path bytes, then loads them.

The listing is frozen before the first image is read, so that a folder that changes meanwhile cannot renumber rows.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

from models.galleries.places import Unreadable, read_file

PASSED_OVER: Final = {
    "no_image": "files that are no images",
    "hidden": "files or folders whose names begin with a dot",
    "system_folder": "folders of a NAS or an operating system",
}
_PLAIN: Final = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


@dataclass(frozen=True)
class Item:
    """One image of a listing. `path` names it in the gallery, `file` is what the source finds it by."""

    path: str
    file: str
    label: str | None = None
    split: str | None = None
    counts: Mapping[str, int] | None = None
    source: str | None = None
    size: int | None = None
    mtime_ns: int | None = None
    scene: str | None = None
    truth: str | None = None

    def to_json(self) -> str:
        """One line; a name that is not UTF-8 survives as lone surrogates."""
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})

    @classmethod
    def from_json(cls, line: str) -> "Item":
        """The item of one line."""
        return cls(**json.loads(line))


@dataclass(frozen=True)
class LoadedImage:
    """The bytes of an image file with what is known only once it is made; None leaves the item as it was listed.

    `scene` and `truth` are JSON.
    """

    data: bytes
    label: str | None = None
    counts: Mapping[str, int] | None = None
    scene: str | None = None
    truth: str | None = None

    def completed(self, item: Item) -> Item:
        """The item with all that is known now."""
        known = {name: getattr(self, name) for name in ("label", "counts", "scene", "truth")}
        return replace(item, **{name: value for name, value in known.items() if value is not None})


@dataclass(frozen=True)
class Skipped:
    """A file or folder that gets no row, and the reason.

    Where the reason is in PASSED_OVER nobody would have expected a row: a text file, a hidden one, a folder of some
    program. These are counted; all others are listed as files left out.
    """

    path: str
    reason: str
    message: str

    def to_json(self) -> str:
        """One line of `skipped.jsonl`."""
        return json.dumps(asdict(self), ensure_ascii=False)


class ImageSource(Protocol):
    """A collection of images that can be listed and loaded."""

    def items(self) -> Iterator[Item | Skipped]:
        """The images in the order of their path bytes, and what was left out already."""

    def load(self, item: Item) -> bytes | LoadedImage:
        """The bytes of an image file; called from several threads. Raises Unreadable."""


def display_name(name: str) -> str:
    """A file name as text: itself where it is UTF-8, else percent-encoded."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return quote(os.fsencode(name), safe=_PLAIN)
    return name


class UploadSource:
    """Files that were uploaded: a folder of numbered files and `names.jsonl` with the name that each came with."""

    NAMES: Final = "names.jsonl"

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def items(self) -> Iterator[Item | Skipped]:
        """The files by name; names need not differ. Without a folder nothing was uploaded yet."""
        if self.folder is None:
            return
        lines = (self.folder / self.NAMES).read_text("utf-8").splitlines()
        entries: list[dict[str, Any]] = [json.loads(line) for line in lines]
        for entry in sorted(entries, key=lambda e: (str(e["name"]).encode(), str(e["file"]))):
            yield Item(str(entry["name"]), str(entry["file"]))

    def load(self, item: Item) -> bytes:
        """The bytes of an uploaded file. Raises Unreadable."""
        if self.folder is None:
            raise Unreadable("missing", "The file is not there.")
        return read_file(self.folder / item.file)
