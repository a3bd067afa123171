import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from models.galleries import manifests
from models.galleries.folders import FolderSource
from models.galleries.images import store_image
from models.galleries.intake import stored
from models.galleries.manifest_tables import BadManifest
from models.galleries.manifests import ManifestSource, check_manifest
from models.galleries.places import inside
from models.galleries.sources import Item, Skipped, UploadSource
from models.samples.photos import PHOTOS, SampleSource
from tests.models.galleries.listing import fill, left_out, listed, picture


def test_an_unreadable_image_is_skipped_with_its_reason_and_the_order_is_kept(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{number:03d}.png" for number in range(60)))
    (tmp_path / "017.png").write_bytes(b"")
    (tmp_path / "018.png").write_bytes(b"<html></html>")
    (tmp_path / "019.png").write_bytes(picture()[:60])
    source = FolderSource(tmp_path)
    found = list(stored(source, listed(source), threads=3))
    assert [item.path for item, _ in found] == [f"{number:03d}.png" for number in range(60)]
    reasons = {image.path: image.reason for _, image in found if isinstance(image, Skipped)}
    assert reasons == {"017.png": "empty_file", "018.png": "unsupported_format", "019.png": "truncated_image"}


# ---- manifests


def csv_file(root: Path, text: str, name: str = "manifest.csv") -> Path:
    (root / name).write_text(text, "utf-8")
    return root / name


def test_a_manifest_brings_labels_splits_counts_and_sources(tmp_path: Path) -> None:
    fill(tmp_path, "images/b.png", "images/a.png")
    path = csv_file(
        tmp_path,
        "split,path,label,counts,source,width\n"
        'test,images/b.png,cat,"{""cells"": 3}",left,99\n'
        "train,images/a.png,,,,12\n",
    )
    first, second = listed(ManifestSource(path, [tmp_path]))
    assert (first.path, first.label, first.split, first.counts, first.source) == (
        "images/a.png",
        None,
        "train",
        None,
        None,
    )
    assert (second.label, second.split, second.counts, second.source) == ("cat", "test", {"cells": 3}, "left")
    assert ManifestSource(path, [tmp_path]).load(second) == picture()


def test_a_manifest_of_the_path_alone_is_enough(tmp_path: Path) -> None:
    fill(tmp_path, "a.png")
    assert len(listed(ManifestSource(csv_file(tmp_path, "path\na.png\n"), [tmp_path]))) == 1


def test_a_parquet_manifest_is_read_like_a_csv(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b.png")
    table = pa.table({"path": ["b.png", "a.png"], "label": ["x", None], "counts": ['{"n": 2}', None], "extra": [1, 2]})
    pa.parquet.write_table(table, tmp_path / "m.parquet")
    found = listed(ManifestSource(tmp_path / "m.parquet", [tmp_path]))
    assert [(item.path, item.label, item.counts) for item in found] == [("a.png", None, None), ("b.png", "x", {"n": 2})]


def test_paths_of_a_manifest_must_stay_inside_the_roots(tmp_path: Path) -> None:
    fill(tmp_path, "secret/s.png", "root/a.png", "root/.hidden/h.png", "root/sub/b.png")
    (tmp_path / "root/link.png").symlink_to(tmp_path / "secret/s.png")
    secret = f"../../secret/s.png\n{tmp_path}/secret/s.png\n/etc/passwd"
    text = f"path\na.png\n{secret}\n.hidden/h.png\nlink.png\n../sub/b.png\n"
    source = ManifestSource(csv_file(tmp_path / "root/sub", text), [tmp_path / "root"])
    assert [item.path for item in listed(source)] == ["../sub/b.png"]
    reasons = left_out(source)
    assert reasons.pop("a.png") == reasons.pop("link.png") == "missing"
    assert (len(reasons), set(reasons.values())) == (4, {"outside_root"})
    up = ManifestSource(csv_file(tmp_path / "root", "path\nlink.png\n.hidden/h.png\na.png\n"), [tmp_path / "root"])
    assert left_out(up) == {"link.png": "outside_root", ".hidden/h.png": "outside_root"}


def test_rows_that_cannot_be_used_are_left_out_one_by_one(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b.png", "c.png")
    text = 'path,counts\na.png,"{""n"": -1}"\nb.png,nonsense\n,\nc.png,"{""n"": 2.0}"\nmissing.png,\n'
    source = ManifestSource(csv_file(tmp_path, text), [tmp_path])
    assert [(item.path, item.counts) for item in listed(source)] == [("c.png", {"n": 2})]
    assert left_out(source) == {"": "bad_row", "a.png": "bad_row", "b.png": "bad_row", "missing.png": "missing"}


def test_a_long_manifest_is_sorted_in_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{number:03d}.png" for number in np.random.default_rng(0).permutation(100)]
    fill(tmp_path, *names)
    monkeypatch.setattr(manifests, "RUN_ROWS", 7)
    source = ManifestSource(csv_file(tmp_path, "\n".join(["path", *names])), [tmp_path], tmp_path)
    assert [item.path for item in listed(source)] == sorted(names)


@pytest.mark.parametrize("text", ["", "file,label\na.png,x\n", "\0\0\0"])
def test_a_file_without_a_column_path_is_no_manifest(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadManifest):
        check_manifest(csv_file(tmp_path, text))


def test_a_broken_parquet_file_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(BadManifest):
        check_manifest(csv_file(tmp_path, "PAR1 no", "m.parquet"))


# ---- uploads, places, the sample


def test_uploads_are_listed_by_name_and_names_may_repeat(tmp_path: Path) -> None:
    entries = [("z.png", "000000"), ("a.png", "000001"), ("a.png", "000002")]
    (tmp_path / UploadSource.NAMES).write_text("".join(json.dumps({"name": n, "file": f}) + "\n" for n, f in entries))
    for _, file in entries:
        (tmp_path / file).write_bytes(picture())
    source = UploadSource(tmp_path)
    assert [(item.path, item.file) for item in listed(source)] == [
        ("a.png", "000001"),
        ("a.png", "000002"),
        ("z.png", "000000"),
    ]
    assert source.load(listed(source)[0]) == picture()
    assert listed(UploadSource()) == []


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("root", True),
        ("root/a/b", True),
        ("root/a/../b", True),
        ("root/../other", False),
        ("rootless/a", False),
        ("root/.ssh", False),
        ("root/a/.git/x", False),
        ("root/link/a", False),
        ("root/..", False),
        ("", False),
    ],
)
def test_only_what_is_really_below_a_root_is_inside(tmp_path: Path, path: str, allowed: bool) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/link").symlink_to(tmp_path)
    assert inside(tmp_path / path, [tmp_path / "root"]) is allowed


def test_a_root_may_itself_be_hidden(tmp_path: Path) -> None:
    assert inside(tmp_path / ".cache/photos/a.png", [tmp_path / ".cache"])
    assert not inside(tmp_path / ".cache/photos/.x/a.png", [tmp_path / ".cache"])


def test_the_sample_is_600_native_crops_and_the_same_each_time() -> None:
    source = SampleSource()
    items = [found for found in source.items() if isinstance(found, Item)]
    present = sum(photo.crops for photo in PHOTOS if (source.folder / photo.file).is_file())
    assert len(items) == present
    assert sum(photo.crops for photo in PHOTOS) == 600
    assert items == [found for found in SampleSource().items() if isinstance(found, Item)]
    assert [item.path for item in items] == sorted(item.path for item in items)
    assert {item.split for item in items} == {"train", "test"}


def test_a_sample_crop_is_a_square_of_its_photo_pixel_by_pixel() -> None:
    source = SampleSource()
    item = next(found for found in source.items() if isinstance(found, Item) and found.source == "coffee")
    file, place = item.file.split(":")
    left, top, side = map(int, place.split(","))
    with Image.open(source.folder / file) as photo:
        square = np.asarray(photo.convert("RGB"))[top : top + side, left : left + side]
    with Image.open(io.BytesIO(source.load(item).data)) as crop:
        assert np.array_equal(np.asarray(crop), square)
    stored_crop = store_image(source.load(item).data)
    assert (stored_crop.jpeg_width, stored_crop.jpeg_height) == (side, side)


def test_a_photo_that_is_not_installed_is_told_and_left_out(tmp_path: Path) -> None:
    found = list(SampleSource(tmp_path).items())
    assert len(found) == len(PHOTOS)
    assert all(isinstance(item, Skipped) and item.reason == "missing" for item in found)
