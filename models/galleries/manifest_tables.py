"""The table of a manifest as records of plain values: a CSV file in the dialects people have, or a Parquet file."""

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet

COLUMNS: Final = ("path", "label", "split", "counts", "source")
SEPARATORS: Final = (",", ";", "\t")
MAX_CELL: Final = 16 << 20  # characters, also of a column that is ignored
NAMED: Final = 12  # columns that a refusal names

csv.field_size_limit(MAX_CELL)  # for the whole process: there is no other way to set it


class BadManifest(ValueError):
    """A manifest that cannot be used as a whole."""

    code = "bad_manifest"


@dataclass(frozen=True)
class ManifestTable:
    """The columns that are used, each with its name in the file, those that are ignored, and what reads the records."""

    columns: Mapping[str, str]
    ignored: tuple[str, ...]
    records: Callable[[], Iterator[dict[str, Any]]]


def open_table(path: Path) -> ManifestTable:
    """The table of a file. Raises BadManifest, also while its records are read."""
    if path.suffix.lower() in (".parquet", ".pq"):
        return _parquet(path)
    return _csv(path)


def _known(path: Path, names: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Our columns with their names in the file, whatever case and spaces those have; and the others."""
    found: dict[str, str] = {}
    ignored = []
    for name in names:
        folded = name.strip().lower()
        if folded in COLUMNS and folded not in found:
            found[folded] = name
        else:
            ignored.append(name)
    if "path" not in found:
        there = ", ".join(repr(name[:40]) for name in ignored[:NAMED]) or "none"
        raise BadManifest(f"The manifest {path.name} has no column called path; its columns are: {there}.")
    return found, tuple(ignored)


def _csv(path: Path) -> ManifestTable:
    try:
        with _opened(path) as stream:
            header = stream.readline(MAX_CELL)
    except OSError as error:
        raise BadManifest(f"The manifest {path.name} could not be read.") from error
    separator = max(SEPARATORS, key=lambda mark: _names_path(header, mark))
    names = _split(path, header, separator)
    columns, ignored = _known(path, names)
    places = {ours: names.index(theirs) for ours, theirs in columns.items()}
    return ManifestTable(columns, ignored, lambda: _rows(path, separator, places))


def _opened(path: Path) -> Any:
    # A path that is not UTF-8 must survive the reading.
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _names_path(header: str, separator: str) -> tuple[bool, int]:
    names = [name.strip().strip('"').lower() for name in header.split(separator)]
    return "path" in names, len(names)


def _split(path: Path, header: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([header], delimiter=separator, strict=True), [])
    except csv.Error as error:
        raise BadManifest(f"The first line of the manifest {path.name} is not CSV: {error}.") from error


def _rows(path: Path, separator: str, places: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    with _opened(path) as stream:
        reader = csv.reader(stream, delimiter=separator, strict=True)
        next(reader, None)
        while True:
            begins = reader.line_num + 1
            try:
                row = next(reader, None)
            except csv.Error as error:
                raise BadManifest(_broken(path, begins, reader.line_num, error)) from error
            except OSError as error:
                raise BadManifest(f"The manifest {path.name} could not be read to its end.") from error
            if row is None:
                return
            if row:
                yield {name: row[place] if place < len(row) else None for name, place in places.items()}


def _broken(path: Path, first: int, last: int, error: csv.Error) -> str:
    if "unexpected end of data" in str(error) or ("field limit" in str(error) and last > first):
        return f"In the manifest {path.name} a quote opens in line {first} and is not closed."
    if "field limit" in str(error):
        return f"A cell in line {first} of the manifest {path.name} is longer than {MAX_CELL >> 20} million characters."
    return f"Line {first} of the manifest {path.name} is not CSV: {error}."


def _parquet(path: Path) -> ManifestTable:
    try:
        with pa.parquet.ParquetFile(path) as file:
            columns, ignored = _known(path, file.schema_arrow.names)
    except (OSError, pa.ArrowException) as error:
        raise BadManifest(f"The manifest {path.name} could not be read as Parquet.") from error
    return ManifestTable(columns, ignored, lambda: _batches(path, columns))


def _batches(path: Path, columns: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    try:
        with pa.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=4096, columns=list(columns.values())):
                cells = {ours: _cells(path, theirs, batch.column(theirs), ours) for ours, theirs in columns.items()}
                for place in range(batch.num_rows):
                    yield {name: values[place] for name, values in cells.items()}
    except (OSError, pa.ArrowException) as error:
        raise BadManifest(f"The manifest {path.name} could not be read as Parquet.") from error


def _cells(path: Path, name: str, column: pa.Array, ours: str) -> list[Any]:
    """The values of a column as text, or for counts as they are. Raises BadManifest with the name of the column."""
    if pa.types.is_timestamp(column.type):  # Python's moments know no nanoseconds
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    try:
        values = column.to_pylist()
        return values if ours == "counts" and not _is_text(column.type) else [_plain(value) for value in values]
    except (ValueError, TypeError, OverflowError, UnicodeError) as error:
        message = f"The column {name} of the manifest {path.name} has values of type {column.type}, which are no text."
        raise BadManifest(message) from error


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind))


def _plain(value: object) -> str | None:
    """A cell as text: bytes that are UTF-8, whole numbers without a point, days and moments as ISO 8601.

    None for what is not there; in a column of numbers that is NaN. Raises TypeError, UnicodeError.
    """
    match value:
        case None:
            return None
        case str():
            return value
        case bytes():
            return value.decode("utf-8")
        case bool() | int():
            return str(value)
        case float():
            return None if math.isnan(value) else f"{value:.0f}" if value.is_integer() else str(value)
        case Decimal():
            return None if value.is_nan() else format(value, "f")
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            raise TypeError(type(value).__name__)
