"""A CSV or Parquet manifest as a source: columns path, label, split, counts (JSON) and source; others are ignored.

Rows are sorted by path bytes in runs on disk, so memory does not grow with the manifest.
"""

import heapq
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from models.galleries.manifest_tables import ManifestTable, open_table
from models.galleries.places import Unreadable, inside, read_file, unreadable
from models.galleries.sources import Item, Skipped, display_name
from models.galleries.splits import split_of

RUN_ROWS: Final = 50_000
MAX_TEXT: Final = 1000
CHECKED_ROWS: Final = 100_000  # rows that are read before an import is queued, to find what is wrong with the table


@dataclass(frozen=True)
class ManifestColumns:
    """The columns of a manifest, by their names in the file: those that are used, and those that are ignored."""

    used: tuple[str, ...]
    ignored: tuple[str, ...]


def check_manifest(path: Path) -> None:
    """Raise BadManifest where the file is no CSV or Parquet with a column `path`, or its first rows cannot be read."""
    for _ in islice(open_table(path).records(), CHECKED_ROWS):
        pass


def columns_of(path: Path) -> ManifestColumns:
    """Which columns an import uses. Raises BadManifest."""
    table = open_table(path)
    return ManifestColumns(tuple(table.columns.values()), table.ignored)


class ManifestSource:
    """The images a manifest names, relative to its folder, as far as they lie inside the roots."""

    def __init__(self, path: Path, roots: Iterable[Path], scratch: Path | None = None) -> None:
        self.path = path
        self.folder = path.resolve().parent
        self.roots = tuple(roots)
        self.scratch = scratch

    def items(self) -> Iterator[Item | Skipped]:
        """The images by path bytes. Raises BadManifest."""
        with ExitStack() as stack:
            for line in _sorted_lines(open_table(self.path), self.scratch, stack):
                yield self._item(json.loads(line))

    def load(self, item: Item) -> bytes:
        """The bytes of a listed file. Raises Unreadable."""
        return read_file(self._allowed(item.file), size=item.size, mtime_ns=item.mtime_ns)

    def _item(self, record: Mapping[str, Any]) -> Item | Skipped:
        """The image of a row. Whatever is wrong with one row, only that row is skipped."""
        file = str(record.get("path") or "")
        try:
            if not file or "\0" in file:
                raise Unreadable("bad_row", "The manifest's row has no usable path.")
            found = self._allowed(file).stat()
            split = _text(record.get("split"))
            return Item(
                path=display_name(file),
                file=file,
                label=_text(record.get("label")),
                split=split_of(split or "") or split,
                counts=_counts(record.get("counts")),
                source=_text(record.get("source")),
                size=found.st_size,
                mtime_ns=found.st_mtime_ns,
            )
        except Unreadable as error:
            return Skipped(display_name(file), error.reason, error.message)
        except OSError as error:
            gone = unreadable(error)
            return Skipped(display_name(file), gone.reason, gone.message)
        except (ValueError, TypeError, ArithmeticError, RecursionError):
            return Skipped(display_name(file), "bad_row", "The manifest's row cannot be understood.")

    def _allowed(self, file: str) -> Path:
        path = self.folder / file
        if not inside(path, self.roots):
            raise Unreadable("outside_root", "The path leads out of the folders that may be imported from.")
        return path


def _sorted_lines(table: ManifestTable, scratch: Path | None, stack: ExitStack) -> Iterator[str]:
    """The records as JSON lines by path bytes: sorted runs on disk, merged; equal paths keep their order."""
    source, runs = table.records(), list[IO[str]]()
    while some := list(islice(source, RUN_ROWS)):
        lines = sorted((json.dumps(record) for record in some), key=_path_bytes)
        run: IO[str] = tempfile.TemporaryFile("w+", dir=scratch, encoding="utf-8")  # noqa: SIM115 (merged below)
        stack.callback(run.close)
        run.writelines(line + "\n" for line in lines)
        run.seek(0)
        runs.append(run)
    return heapq.merge(*runs, key=_path_bytes)


def _path_bytes(line: str) -> bytes:
    return os.fsencode(str(json.loads(line).get("path") or ""))


def _text(value: object) -> str | None:
    text = "" if value is None else str(value).strip()
    if len(text) > MAX_TEXT:
        raise Unreadable("bad_row", f"A label, split or source of the manifest is longer than {MAX_TEXT} characters.")
    return _readable(text) or None


def _readable(text: str) -> str:
    """Text whose bytes were not UTF-8, read as Windows writes it in western Europe; else percent-encoded."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        try:
            return os.fsencode(text).decode("cp1252")
        except UnicodeDecodeError:
            return display_name(text)
    return text


def _counts(value: object) -> dict[str, int] | None:
    """Counts by name from JSON, or from a Parquet map or struct."""
    if value is None or value == "":
        return None
    try:
        loaded = json.loads(value) if isinstance(value, str) else value
        pairs = dict(loaded) if isinstance(loaded, list) else loaded
        if not isinstance(pairs, dict):
            raise ValueError("not an object")
        counts = {str(name): _count(number) for name, number in pairs.items() if number is not None}
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Unreadable("bad_row", "The manifest's counts are not a JSON object of whole numbers.") from error
    return counts


def _count(number: object) -> int:
    if isinstance(number, bool) or not isinstance(number, int | float) or number != int(number):
        raise ValueError("not a whole number")
    if not 0 <= number < 2**31:
        raise ValueError("not a count")
    return int(number)
