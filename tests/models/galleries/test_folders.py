"""Images below a folder: their order, classes and splits, and what is left out."""

import os
from pathlib import Path

import pytest

from models.galleries.folders import FolderSource
from models.galleries.intake import stored
from models.galleries.places import Unreadable
from models.galleries.sources import Item, Skipped, display_name
from tests.models.galleries.listing import facets, fill, left_out, listed, picture


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


def splits_and_labels(folder: Path) -> dict[str, tuple[str | None, str | None]]:
    return {item.path: (item.split, item.label) for item in listed(FolderSource(folder))}


@pytest.mark.parametrize(
    ("names", "split", "label"),
    [
        (("Test/cat/2.png", "Train/cat/1.png", "Train/dog/1.png"), "test", "cat"),
        (("Validation/dog/1.png", "training/cat/1.png", "training/dog/2.png"), "val", "dog"),
        (("TRAIN/cat/1.png", "testing/dog/2.png", "valid/dog/1.png"), "train", "cat"),
        (("dev/1.png", "testing/2.png"), "val", None),
        (("training/1.png", "validation/2.png"), "train", None),
        (("train/1.png",), "train", None),
        (("cat/test/1.png", "cat/train/1.png", "dog/Train/1.png"), "test", "cat"),
        (("data/cat/train/1.png", "data/dog/test/1.png"), "train", "cat"),
        (("extra/cat/1.png", "extra/dog/1.png", "train/cat/1.png", "test/cat/1.png"), None, "cat"),
        (("bus/1.png", "car/1.png", "train/1.png"), None, "bus"),  # a train on rails
        (("test/bus/2.png", "test/train/1.png", "train/train/1.png"), "test", "bus"),
    ],
)
def test_words_for_splits_in_any_case_and_depth_are_splits_and_never_classes(
    tmp_path: Path, names: tuple[str, ...], split: str | None, label: str | None
) -> None:
    found = splits_and_labels(fill(tmp_path, *names))
    assert found[names[0]] == (split, label)
    assert len(found) == len(names)


def test_a_class_is_the_folder_that_differs_where_the_innermost_ones_repeat(tmp_path: Path) -> None:
    days = [f"{animal}/day{day}/1.png" for animal in ("cat", "dog") for day in "12"]
    split = [f"{part}/{name}" for part in ("train", "test") for name in days]
    deeper = [f"data/{name}" for name in days]
    for number, names in enumerate((days, split, deeper)):
        folder = fill(tmp_path / str(number), *names)
        assert {label for _, label in splits_and_labels(folder).values()} == {"cat", "dog"}
    tree = ("animals/cat/1.png", "animals/dog/1.png", "plants/fern/1.png", "plants/other/1.png", "animals/other/1.png")
    found = splits_and_labels(fill(tmp_path / "tree", *tree))
    assert {label for _, label in found.values()} == {"cat", "dog", "fern", "other"}


UNKNOWN_ENDINGS = (
    *("photo.jpg?width=200", "e.jpg:large", "img.jpeg_large", "photo.JPG.1", "d.jpg%3Fx=1", "2019.05.01 12.30.45"),
    *("frame_0.5", "b.jpg ", "h.", "00012", "photo.jpg~", "f.pjpeg"),
)


def test_a_file_of_unknown_ending_is_what_its_first_bytes_say(tmp_path: Path) -> None:
    fill(tmp_path, *UNKNOWN_ENDINGS)
    (tmp_path / "notes.1").write_text("not a picture")
    (tmp_path / "labels.txt").write_bytes(picture())  # known to be something else, so that nobody opens it
    (tmp_path / "empty.2").touch()
    os.mkfifo(tmp_path / "pipe.3")
    assert [item.path for item in listed(FolderSource(tmp_path))] == sorted(UNKNOWN_ENDINGS, key=str.encode)
    assert left_out(FolderSource(tmp_path)) == dict.fromkeys(("notes.1", "labels.txt", "empty.2"), "no_image")


def test_folders_of_a_nas_or_an_operating_system_hold_no_images_of_yours(tmp_path: Path) -> None:
    names = ("@eaDir/a.jpg/thumb.jpg", "__MACOSX/._a.jpg", "lost+found/a.jpg", "$RECYCLE.BIN/a.jpg", "#recycle/a.jpg")
    fill(tmp_path, "a.jpg", *names, *(f"holiday/{name}" for name in names))
    assert [item.path for item in listed(FolderSource(tmp_path))] == ["a.jpg"]
    assert set(left_out(FolderSource(tmp_path)).values()) == {"system_folder"}


def test_a_top_level_train_val_or_test_becomes_the_split(tmp_path: Path) -> None:
    names = ("train/cat/1.png", "train/dog/1.png", "test/cat/2.png", "val/3.png", "other/test/4.png")
    assert facets(listed(FolderSource(fill(tmp_path, *names)))) == [
        ("other/test/4.png", None, "test"),
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
