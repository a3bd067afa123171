import io
import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from models.galleries import manifests
from models.galleries.images import store_image
from models.galleries.intake import stored
from models.galleries.manifests import BadManifest, ManifestSource, check_manifest
from models.galleries.places import Unreadable, inside
from models.galleries.sources import FolderSource, Item, Skipped, UploadSource, display_name
from models.samples.photos import PHOTOS, SampleSource


def picture(colour: tuple[int, int, int] = (9, 99, 199)) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", (24, 18), colour).save(sink, "PNG")
    return sink.getvalue()


def fill(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture())
    return root


def listed(source: FolderSource | ManifestSource | UploadSource) -> list[Item]:
    return [found for found in source.items() if isinstance(found, Item)]


def left_out(source: FolderSource | ManifestSource) -> dict[str, str]:
    return {found.path: found.reason for found in source.items() if isinstance(found, Skipped)}


def facets(items: Iterable[Item]) -> list[tuple[str, str | None, str | None]]:
    return [(item.path, item.label, item.split) for item in items]


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    assert facets(listed(FolderSource(fill(tmp_path, "b.png", "a.png")))) == [
        ("a.png", None, None),
        ("b.png", None, None),
    ]


def test_class_folders_become_labels(tmp_path: Path) -> None:
    source = FolderSource(fill(tmp_path, "dog/1.png", "cat/2.png", "cat/1.png", "cover.png"))
    assert facets(listed(source)) == [
        ("cat/1.png", "cat", None),
        ("cat/2.png", "cat", None),
        ("cover.png", None, None),
        ("dog/1.png", "dog", None),
    ]


def test_a_top_level_train_val_or_test_becomes_the_split(tmp_path: Path) -> None:
    names = ("train/cat/1.png", "train/dog/1.png", "test/cat/2.png", "val/3.png", "other/test/4.png")
    assert facets(listed(FolderSource(fill(tmp_path, *names)))) == [
        ("other/test/4.png", "test", None),
        ("test/cat/2.png", "cat", "test"),
        ("train/cat/1.png", "cat", "train"),
        ("train/dog/1.png", "dog", "train"),
        ("val/3.png", None, "val"),
    ]


def test_one_folder_alone_is_no_label_unless_asked_for(tmp_path: Path) -> None:
    fill(tmp_path, "train/photos/1.png", "test/photos/2.png")
    expected = [("test/photos/2.png", "test"), ("train/photos/1.png", "train")]
    for labels, label in (("auto", None), ("folders", "photos"), ("none", None)):
        found = facets(listed(FolderSource(tmp_path, labels)))  # type: ignore[arg-type]
        assert found == [(path, label, split) for path, split in expected]


def test_labels_can_be_refused(tmp_path: Path) -> None:
    source = FolderSource(fill(tmp_path, "cat/1.png", "dog/1.png"), "none")
    assert [item.label for item in listed(source)] == [None, None]


def test_the_order_is_that_of_the_whole_paths_bytes(tmp_path: Path) -> None:
    names = ["a/z.png", "a-b/1.png", "a.png", "B.png", "é.png", "a/b/c.png", "a0.png", "z.png", "a b.png"]
    found = [item.path for item in listed(FolderSource(fill(tmp_path, *names)))]
    assert found == sorted(names, key=os.fsencode)


def test_what_is_hidden_or_no_picture_by_name_is_not_listed(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", ".hidden.png", ".git/b.png", "._a.png", "noextension", "C.JPG")
    (tmp_path / "notes.txt").write_text("words")
    (tmp_path / "labels.csv").write_text("path\n")
    assert [item.path for item in listed(FolderSource(tmp_path))] == ["C.JPG", "a.png", "noextension"]


def test_links_out_of_the_folder_are_left_out_and_counted(tmp_path: Path) -> None:
    outside, root = fill(tmp_path / "outside", "x/secret.png"), fill(tmp_path / "in", "a.png", "b/c.png")
    (root / "escape.png").symlink_to(outside / "x/secret.png")
    (root / "folder").symlink_to(outside)
    (root / "broken.png").symlink_to(tmp_path / "nowhere")
    (root / "inner.png").symlink_to(root / "b/c.png")
    (root / "loop").symlink_to(root)
    (root / "b/up").symlink_to(root)
    source = FolderSource(root)
    assert [item.path for item in listed(source)] == ["a.png", "b/c.png", "inner.png"]
    skipped = left_out(source)
    assert skipped["escape.png"] == skipped["folder"] == "outside_root"
    assert skipped["broken.png"] in ("missing", "outside_root")


def test_links_to_folders_inside_are_listed_once_at_their_own_place(tmp_path: Path) -> None:
    root = fill(tmp_path, "real/a.png")
    (root / "again").symlink_to(root / "real")
    source = FolderSource(root)
    assert [item.path for item in listed(source)] == ["real/a.png"]
    assert left_out(source) == {}


def test_a_file_replaced_by_a_link_after_listing_is_not_followed(tmp_path: Path) -> None:
    secret, root = fill(tmp_path / "outside", "s.png"), fill(tmp_path / "in", "a.png")
    source = FolderSource(root)
    item = listed(source)[0]
    (root / "a.png").unlink()
    (root / "a.png").symlink_to(secret / "s.png")
    with pytest.raises(Unreadable) as caught:
        source.load(item)
    assert caught.value.reason == "outside_root"


def test_a_file_that_vanished_or_changed_since_the_listing_is_told(tmp_path: Path) -> None:
    source = FolderSource(fill(tmp_path, "a.png", "b.png", "c.png"))
    items = listed(source)
    (tmp_path / "a.png").unlink()
    (tmp_path / "b.png").write_bytes(picture() + b"more")
    found = {item.path: image for item, image in stored(source, items)}
    assert isinstance(gone := found["a.png"], Skipped) and gone.reason == "missing"
    assert isinstance(other := found["b.png"], Skipped) and other.reason == "changed"
    assert not isinstance(found["c.png"], Skipped)


def test_a_pipe_among_the_files_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert listed(FolderSource(tmp_path)) == []
    with pytest.raises(Unreadable):
        FolderSource(tmp_path).load(Item("pipe.png", "pipe.png"))


ODD = ["with space.png", "100%.png", "a#b.png", "it's.png", "new\nline.png", "🐈.png", "é.png", "e\u0301.png"]


def test_any_name_is_listed_and_loads(tmp_path: Path) -> None:
    source = FolderSource(fill(tmp_path, *ODD))
    items = [Item.from_json(item.to_json()) for item in listed(source)]
    assert sorted(item.path for item in items) == sorted(ODD)
    assert all(source.load(item) == picture() for item in items)


def test_a_name_that_is_not_utf8_is_shown_percent_encoded_and_loads(tmp_path: Path) -> None:
    raw = b"caf\xe9 50%.png"
    (tmp_path / os.fsdecode(raw)).write_bytes(picture())
    source = FolderSource(tmp_path)
    item = Item.from_json(listed(source)[0].to_json())
    assert item.path == "caf%E9 50%25.png"
    assert source.load(item) == picture()
    assert display_name("50%.png") == "50%.png"


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
