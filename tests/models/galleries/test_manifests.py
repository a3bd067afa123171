"""The tables that people bring as manifests: their cells, headers, separators, quotes and encodings."""

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from models.galleries.manifest_tables import BadManifest
from models.galleries.manifests import ManifestSource, check_manifest, columns_of
from models.galleries.sources import Item, Skipped

NAMES = ("1.png", "2.png", "3.png")


def place(folder: Path) -> Path:
    """A folder of three pictures."""
    sink = io.BytesIO()
    Image.new("RGB", (24, 18), (9, 99, 199)).save(sink, "PNG")
    folder.mkdir(exist_ok=True)
    for name in NAMES:
        (folder / name).write_bytes(sink.getvalue())
    return folder


def found(path: Path) -> list[Item | Skipped]:
    check_manifest(path)
    return list(ManifestSource(path, [path.parent]).items())


def parquet(folder: Path, **columns: Any) -> Path:
    pq.write_table(pa.table({"path": list(NAMES), **columns}), place(folder) / "list.parquet")
    return folder / "list.parquet"


def written(folder: Path, text: str | bytes) -> Path:
    path = place(folder) / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


NANOSECONDS = pa.array([1_600_000_000_000_000_001, None, 0], pa.timestamp("ns"))


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        ([b"cat", "d\u00f6g".encode(), None], ["cat", "d\u00f6g", None]),
        ([date(2020, 1, 2), None, date(1999, 12, 31)], ["2020-01-02", None, "1999-12-31"]),
        ([datetime(2020, 1, 2, 3, 4, tzinfo=UTC), None, None], ["2020-01-02T03:04:00+00:00", None, None]),
        (NANOSECONDS, ["2020-09-13T12:26:40", None, "1970-01-01T00:00:00"]),
        ([Decimal("1.50"), Decimal("2.00"), None], ["1.50", "2.00", None]),
        ([0.0, 1.0, float("nan")], ["0", "1", None]),
        ([0.5, 1.25, None], ["0.5", "1.25", None]),
        ([3, None, -1], ["3", None, "-1"]),
        ([True, False, None], ["True", "False", None]),
        (["nan", "", " cat "], ["nan", None, "cat"]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
    ],
)
def test_cells_of_any_plain_type_are_text(tmp_path: Path, cells: Any, labels: list[str | None]) -> None:
    items = found(parquet(tmp_path, label=cells, source=cells))
    assert [item.label for item in items if isinstance(item, Item)] == labels
    assert [item.source for item in items if isinstance(item, Item)] == labels


@pytest.mark.parametrize("cells", [[[1], [2], []], [{"a": 1}] * 3, [b"\xff\xfe", b"a", b"b"]])
def test_what_is_no_text_is_refused_with_the_name_of_its_column(tmp_path: Path, cells: Any) -> None:
    with pytest.raises(BadManifest, match=r"The column Label of the manifest list\.parquet"):
        found(parquet(tmp_path, Label=cells))


def test_paths_may_be_bytes_and_counts_a_map(tmp_path: Path) -> None:
    table = {"path": [name.encode() for name in NAMES], "counts": [{"cat": 2}] * 3}
    pq.write_table(pa.table(table), place(tmp_path) / "list.parquet")
    items = found(tmp_path / "list.parquet")
    assert [item.counts for item in items if isinstance(item, Item)] == [{"cat": 2}] * 3


HEADERS = ("path,label,split", " Path , LABEL,split ", "path;label;split", "PATH\tLabel\tSplit")


@pytest.mark.parametrize("header", HEADERS)
def test_headers_and_separators_are_what_people_write(tmp_path: Path, header: str) -> None:
    mark = next(mark for mark in ",;\t" if mark in header)
    path = written(tmp_path, f"\ufeff{header}\r\n1.png{mark}cat{mark}Train\r\n2.png{mark}dog{mark}VALID\r\n")
    items = found(path)
    assert [(item.label, item.split) for item in items if isinstance(item, Item)] == [("cat", "train"), ("dog", "val")]
    assert columns_of(path).ignored == ()


def test_columns_that_are_not_used_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, "path,class,Note,label,label\n1.png,a,b,c,d\n")
    assert columns_of(path).used == ("path", "label") and columns_of(path).ignored == ("class", "Note", "label")
    with pytest.raises(BadManifest, match=r"no column called path; its columns are: 'file', 'class'"):
        check_manifest(written(tmp_path, "file,class\n1.png,cat\n"))


def test_a_quote_that_is_not_closed_is_refused_with_its_line(tmp_path: Path) -> None:
    rows = 'path,label\n1.png,cat\n"2.png,dog\n3.png,cat\n'
    with pytest.raises(BadManifest, match="a quote opens in line 3 and is not closed"):
        check_manifest(written(tmp_path, rows))
    two_lines = 'path,label\n"1.png","a\nb"\n2.png,dog\n'
    assert len(found(written(tmp_path, two_lines))) == 2


def test_a_long_cell_of_an_ignored_column_is_no_obstacle(tmp_path: Path) -> None:
    path = written(tmp_path, f"path,note,label\n1.png,{'x' * 2_000_000},cat\n")
    assert [item.label for item in found(path) if isinstance(item, Item)] == ["cat"]
    assert len(found(written(tmp_path, f"path,label\n1.png,{'x' * 2_000}\n2.png,dog\n"))) == 2


def test_text_of_an_older_windows_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, "path,label\n1.png,K\u00fche\n".encode("cp1252"))
    assert [item.label for item in found(path) if isinstance(item, Item)] == ["K\u00fche"]


@pytest.mark.parametrize("counts", ['{"a": 1e999}', "[" * 100_000, '{"a": NaN}', '{"a": "x"}', "5", '{"a": 1e400}'])
def test_one_bad_row_skips_itself_alone(tmp_path: Path, counts: str) -> None:
    quoted = counts.replace('"', '""')
    items = found(written(tmp_path, f'path,counts\n1.png,"{quoted}"\n2.png,\n'))
    assert [type(item).__name__ for item in items] == ["Skipped", "Item"]
    assert isinstance(items[0], Skipped) and items[0].reason == "bad_row"
