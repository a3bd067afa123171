"""A folder of images as a source: flat, nested, with folders for classes, and with folders for the splits.

What a file is, its ending says where it has a known one, else its first bytes.
"""

import math
import os
import stat
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Final, Literal

from models.galleries.places import Unreadable, inside, read_file, unreadable
from models.galleries.sources import Item, Skipped, display_name
from models.galleries.splits import split_folders

Labels = Literal["auto", "folders", "none"]

PICTURES: Final = frozenset(
    f".{name}"
    for name in (
        *("jpg", "jpeg", "jpe", "jfif", "mpo", "png", "apng", "webp", "gif", "bmp", "dib", "ppm", "pgm", "pbm", "pnm"),
        *("tif", "tiff", "heic", "heif", "avif", "jp2", "j2k", "jxl", "psd", "svg", "ico", "eps", "fits", "tga"),
        *("wmf", "raw", "dng", "cr2", "nef", "arw"),
    )
)
OTHERS: Final = frozenset(  # known to be something else, so that they need not be opened
    f".{name}"
    for name in (
        *("txt", "json", "jsonl", "xml", "csv", "tsv", "parquet", "pq", "md", "html", "pdf", "yaml", "yml", "log"),
        *("py", "ipynb", "npy", "npz", "mat", "h5", "pt", "pth", "safetensors", "onnx", "pkl", "db", "ini", "cfg"),
        *("zip", "tar", "gz", "tgz", "bz2", "xz", "7z", "rar", "mp4", "avi", "mov", "mkv", "webm", "mp3", "wav"),
    )
)
SYSTEM_FOLDERS: Final = frozenset(  # in lower case; of NAS, Windows, macOS and file systems
    ("@eadir", "#recycle", "$recycle.bin", "__macosx", "lost+found", "system volume information")
)
BEGINNINGS: Final = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*"),
    *(b"P%d" % kind + space for kind in range(1, 7) for space in (b"\n", b" ", b"\r", b"\t")),
)


@dataclass(frozen=True)
class Layout:
    """What the names of folders mean. `labelled`: images have classes.

    `depth` is the place of the folder that names the class, counted without folders of splits; None: the innermost.
    """

    labelled: bool = False
    depth: int | None = None


@dataclass(frozen=True)
class _Folder:
    """A folder as its files see it: its split, and the names down to it without that of the split."""

    split: str | None = None
    names: tuple[str, ...] = ()

    def below(self, name: str, splits: Mapping[str, str]) -> "_Folder":
        """The folder of that name in this one, where `splits` are those that are splits.

        What lies beside splits, such as `extra` beside `train` and `test`, is a part of the data as well, and no class.
        """
        if splits:
            return _Folder(splits.get(name, self.split), self.names)
        return _Folder(self.split, (*self.names, name))


@dataclass(frozen=True)
class _File:
    """A file that may be an image: its path below the root, its folder, and whether it is a link."""

    path: bytes
    folder: _Folder
    linked: bool


class FolderSource:
    """The images below a folder.

    A class is the innermost folder of an image; where the innermost folders have the same names under several others,
    as in `cat/day1` and `dog/day1`, it is the first folder in which paths differ. Folders of splits name no class.
    Folders reached by a symbolic link are not entered: inside the folder they are listed at their own place, outside
    they are not part of it. That also ends link loops.
    """

    def __init__(self, root: Path, labels: Labels = "auto", *, patience: float = math.inf) -> None:
        """`patience` is how many seconds may be spent to learn the layout, however many folders there are."""
        self.root = os.path.realpath(root)
        self.labels = labels
        self._patience = patience

    def items(self) -> Iterator[Item | Skipped]:
        """The images, with class and split where the names of their folders say so."""
        layout = self._layout()
        for found in self._walk(opening=True):
            if isinstance(found, Skipped):
                yield found
                continue
            now = self._now(found)
            if isinstance(now, Item):
                yield replace(now, label=_label(found.folder, layout), split=found.folder.split)
            elif now is not None:
                yield now

    def load(self, item: Item) -> bytes:
        """The bytes of a listed file. Raises Unreadable, also where it was replaced by a link out of the folder."""
        path = os.path.join(self.root, item.file)  # noqa: PTH118 (Path() would fold "./" and cost more than the read)
        if not inside(path, [self.root]):
            raise _outside()
        return read_file(path, size=item.size, mtime_ns=item.mtime_ns)

    def _layout(self) -> Layout:
        """What the folders' names mean; no file is opened for it."""
        if self.labels == "none":
            return Layout()
        until = time.monotonic() + self._patience
        holding = set[tuple[str, ...]]()
        for found in self._walk(opening=False):
            if isinstance(found, _File) and found.folder.names:
                holding.add(found.folder.names)
            if time.monotonic() > until:
                break
        depth = _class_depth(holding)
        classes = {_label(_Folder(names=names), Layout(True, depth)) for names in holding} - {None}
        return Layout(self.labels == "folders" or len(classes) > 1, depth)

    def _walk(self, *, opening: bool) -> Iterator[_File | Skipped]:
        """Every candidate, in the order of path bytes: a folder sorts as its name with a slash.

        Without `opening` a file whose ending says nothing is a candidate, and nothing is told of what is left out.
        """
        top = os.fsencode(self.root) + b"/"
        pending = [_File(b"", _Folder(), False)]
        while pending:
            here = pending.pop()
            if here.path and not here.path.endswith(b"/"):
                yield here
                continue
            try:
                with os.scandir(top + here.path) as entries:
                    found = list(_sort_out(here.path, entries, opening))
            except OSError as error:
                shown = display_name(os.fsdecode(here.path))
                yield Skipped(shown, unreadable(error).reason, "The folder could not be read.")
                continue
            yield from (left for left in found if isinstance(left, Skipped) and opening)
            pending += _in_reverse(here, [it for it in found if not isinstance(it, Skipped)])

    def _now(self, file: _File) -> Item | Skipped | None:
        """The file as it is now; None for a link to a folder inside."""
        name = os.fsdecode(file.path)
        path = os.path.join(self.root, name)  # noqa: PTH118
        try:
            if file.linked and not inside(path, [self.root]):
                raise _outside()
            found = os.stat(path)  # noqa: PTH116
        except OSError as error:
            gone = unreadable(error)
            return Skipped(display_name(name), gone.reason, gone.message)
        except Unreadable as error:
            return Skipped(display_name(name), error.reason, error.message)
        if file.linked and stat.S_ISDIR(found.st_mode):
            return None
        return Item(display_name(name), name, size=found.st_size, mtime_ns=found.st_mtime_ns)


def _outside() -> Unreadable:
    return Unreadable("outside_root", "A link leads out of the folder.")


def _label(folder: _Folder, layout: Layout) -> str | None:
    """The class of the images in a folder."""
    place = len(folder.names) - 1 if layout.depth is None else layout.depth
    return display_name(folder.names[place]) if layout.labelled and 0 <= place < len(folder.names) else None


def _class_depth(holding: Collection[tuple[str, ...]]) -> int | None:
    """The place of the folder that names the class, from the folders that hold images; None: the innermost one."""
    above: dict[str, set[tuple[str, ...]]] = {}
    for names in holding:
        above.setdefault(names[-1], set()).add(names[:-1])
    repeated = [names for names in holding if len(above[names[-1]]) > 1]
    if not repeated or 2 * len(repeated) < len(holding):
        return None
    first, last = min(holding), max(holding)  # all others have the beginning that these two share
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))


def _in_reverse(folder: _File, found: list[tuple[bytes, bool]]) -> list[_File]:
    """What lies in a folder, the last in the order of path bytes first; (path, is a link), folders end with a slash."""
    names = {path: os.fsdecode(path[len(folder.path) : -1]) for path, _ in found if path.endswith(b"/")}
    splits = {} if folder.folder.split else split_folders(names.values())
    return [
        _File(path, folder.folder.below(names[path], splits) if path in names else folder.folder, linked)
        for path, linked in sorted(found, reverse=True)
    ]


def _sort_out(
    path: bytes, entries: Iterator["os.DirEntry[bytes]"], opening: bool
) -> Iterator[tuple[bytes, bool] | Skipped]:
    """The folders (with a slash) and candidates of one folder, each with whether it is a link; and what is left out."""
    for entry in entries:
        name = path + entry.name
        if entry.name.startswith(b"."):
            yield Skipped(display_name(os.fsdecode(name)), "hidden", "Its name begins with a dot.")
        elif entry.is_dir(follow_symlinks=False):
            if os.fsdecode(entry.name).lower() in SYSTEM_FOLDERS:
                yield Skipped(display_name(os.fsdecode(name)), "system_folder", "It belongs to a program, not to you.")
            else:
                yield name + b"/", False
        elif entry.is_symlink():
            if _ending(entry.name) in PICTURES or entry.is_dir():
                yield name, True
        elif entry.is_file():
            if _may_be_picture(entry, opening):
                yield name, False
            else:
                yield Skipped(display_name(os.fsdecode(name)), "no_image", "This file is no image.")


def _ending(name: bytes) -> str:
    return os.path.splitext(os.fsdecode(name))[1].lower()  # noqa: PTH122


def _may_be_picture(entry: "os.DirEntry[bytes]", opening: bool) -> bool:
    """Whether a file is meant as a picture: by its ending, else by its first bytes."""
    ending = _ending(entry.name)
    if ending in PICTURES or ending in OTHERS or not opening:
        return ending not in OTHERS
    try:
        descriptor = os.open(entry.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return begins_as_picture(os.read(descriptor, 16))
        finally:
            os.close(descriptor)
    except OSError:
        return True  # it is read again later, which tells why it cannot be


def begins_as_picture(first: bytes) -> bool:
    """Whether a file that begins with these 16 bytes is a picture of some format."""
    boxed = first[4:8] == b"ftyp" and first[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"avif")
    return first.startswith(BEGINNINGS) or (first[:4] == b"RIFF" and first[8:12] == b"WEBP") or boxed
