"""The sources of a gallery's images: each lists its images in the order of their path bytes, then loads them.

The listing is frozen before the first image is read, so that a folder that changes meanwhile cannot renumber rows.
"""

import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Protocol
from urllib.parse import quote

from models.galleries.places import Unreadable, inside, read_file, unreadable

Labels = Literal["auto", "folders", "none"]

SPLITS: Final = ("train", "val", "test")
# Looked at by name only to leave out what nobody means as a picture; what a file is, its bytes decide.
SUFFIXES: Final = frozenset(
    f".{name}"
    for name in (
        *("jpg", "jpeg", "jpe", "jfif", "mpo", "png", "apng", "webp", "gif", "bmp", "dib", "ppm", "pgm", "pbm", "pnm"),
        *("tif", "tiff", "heic", "heif", "avif", "jp2", "j2k", "jxl", "psd", "svg", "ico", "eps", "fits", "tga"),
        *("wmf", "raw", "dng", "cr2", "nef", "arw"),
    )
)
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
    """A file that gets no row, and the reason."""

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


class FolderSource:
    """The images below a folder: flat, nested, class folders, with or without train/val/test above them.

    Folders reached by a symbolic link are not entered: inside the folder they are listed at their own place, outside
    they are not part of it. That also ends link loops.
    """

    def __init__(self, root: Path, labels: Labels = "auto") -> None:
        self.root = os.path.realpath(root)
        self.labels = labels

    def items(self) -> Iterator[Item | Skipped]:
        """The images, labelled by their parent folder where the rule says so."""
        labelled = self.labels == "folders" or (self.labels == "auto" and self._has_two_parents())
        for found in self._walk():
            if isinstance(found, Skipped):
                yield found
            else:
                split, parent = _place(found.file)
                label = display_name(parent) if labelled and parent is not None else None
                yield Item(found.path, found.file, label, split, size=found.size, mtime_ns=found.mtime_ns)

    def load(self, item: Item) -> bytes:
        """The bytes of a listed file. Raises Unreadable, also where it was replaced by a link out of the folder."""
        path = os.path.join(self.root, item.file)  # noqa: PTH118 (Path() would fold "./" and cost more than the read)
        if not inside(path, [self.root]):
            raise _outside()
        return read_file(path, size=item.size, mtime_ns=item.mtime_ns)

    def _has_two_parents(self) -> bool:
        seen: set[str] = set()
        for found in self._walk():
            if isinstance(found, Item) and (parent := _place(found.file)[1]) is not None:
                seen.add(parent)
                if len(seen) == 2:
                    return True
        return False

    def _walk(self) -> Iterator[Item | Skipped]:
        """Every candidate, in the order of path bytes: a folder sorts as its name with a slash."""
        top = os.fsencode(self.root) + b"/"
        pending, links = [b""], set[bytes]()
        while pending:
            path = pending.pop()
            if path and not path.endswith(b"/"):
                found = self._file_now(os.fsdecode(path), path in links)
                links.discard(path)
                if found is not None:
                    yield found
                continue
            try:
                with os.scandir(top + path) as entries:
                    names, linked = _sort_out(path, entries)
            except OSError as error:
                yield Skipped(
                    display_name(os.fsdecode(path)), unreadable(error).reason, "The folder could not be read."
                )
                continue
            links |= linked
            pending.extend(sorted(names, reverse=True))

    def _file_now(self, file: str, linked: bool) -> Item | Skipped | None:
        """The file as it is now; None for a link to a folder inside."""
        path = os.path.join(self.root, file)  # noqa: PTH118
        try:
            if linked and not inside(path, [self.root]):
                raise _outside()
            found = os.stat(path)  # noqa: PTH116
        except OSError as error:
            gone = unreadable(error)
            return Skipped(display_name(file), gone.reason, gone.message)
        except Unreadable as error:
            return Skipped(display_name(file), error.reason, error.message)
        if linked and stat.S_ISDIR(found.st_mode):
            return None
        return Item(display_name(file), file, size=found.st_size, mtime_ns=found.st_mtime_ns)


def _outside() -> Unreadable:
    return Unreadable("outside_root", "A link leads out of the folder.")


def _sort_out(path: bytes, entries: Iterator["os.DirEntry[bytes]"]) -> tuple[list[bytes], set[bytes]]:
    """The folders (with a slash) and candidate files of one folder, and which of them are links."""
    names, links = list[bytes](), set[bytes]()
    for entry in entries:
        name = path + entry.name
        if entry.name.startswith(b"."):
            continue
        if entry.is_dir(follow_symlinks=False):
            names.append(name + b"/")
        elif entry.is_symlink():
            if _is_candidate(entry.name) or entry.is_dir():
                links.add(name)
                names.append(name)
        elif _is_candidate(entry.name) and entry.is_file():
            names.append(name)
    return names, links


def _is_candidate(name: bytes) -> bool:
    suffix = os.path.splitext(os.fsdecode(name))[1].lower()  # noqa: PTH122
    return suffix == "" or suffix in SUFFIXES


def _place(file: str) -> tuple[str | None, str | None]:
    """Split and parent folder of a relative path."""
    folders = file.split("/")[:-1]
    split = folders.pop(0) if folders and folders[0] in SPLITS else None
    return split, folders[-1] if folders else None


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
