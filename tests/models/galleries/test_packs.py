import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.galleries.images import StoredImage, store_image
from models.galleries.packs import MANIFEST, Pack, PackDamaged, PackRow, Shard, write_manifest, write_shard

LABELS = ("cat", "dog", None)


def stored(number: int) -> StoredImage:
    sink = io.BytesIO()
    Image.new("RGB", (20 + number % 7, 16), (number % 256, 80, 40)).save(sink, "PNG")
    return store_image(sink.getvalue())


def rows(first: int, count: int) -> list[tuple[PackRow, StoredImage]]:
    found = []
    for number in range(first, first + count):
        image = stored(number)
        row = PackRow(
            path=f"{number:05d}.png",
            label=LABELS[number % 3],
            split="test" if number % 5 == 0 else "train",
            counts={"cells": number, "edges": 2} if number % 2 else None,
            source="left" if number < 10 else None,
            width=image.width,
            height=image.height,
            jpeg_width=image.jpeg_width,
            jpeg_height=image.jpeg_height,
            sha256=image.sha256,
        )
        found.append((row, image))
    return found


ROWS = rows(0, 700)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 + 400 rows: a last batch that is not full, in the middle of the pack and at its end."""
    place = tmp_path_factory.mktemp("pack")
    write_manifest(place, [write_shard(place, 0, ROWS[:300]), write_shard(place, 1, iter(ROWS[300:]))])
    return place


@pytest.fixture
def pack(folder: Path) -> Iterator[Pack]:
    with Pack.open(folder) as opened:
        yield opened


def test_every_row_comes_back_as_it_was_written(pack: Pack) -> None:
    assert len(pack) == 700
    for number, (row, image) in enumerate(ROWS):
        assert (pack.row(number), pack.jpeg(number), pack.thumb(number)) == (row, image.jpeg, image.thumb)


def test_metadata_comes_in_the_order_asked_for(pack: Pack) -> None:
    wanted = [699, 0, 299, 300, 256, 255, 0]
    assert [row.path for row in pack.metadata(wanted)] == [f"{number:05d}.png" for number in wanted]


@pytest.mark.parametrize("row", [-1, 700, 10**12])
def test_a_row_outside_the_pack_is_an_index_error(pack: Pack, row: int) -> None:
    with pytest.raises(IndexError):
        pack.jpeg(row)


def test_shard_ranges_cover_all_rows_once(pack: Pack) -> None:
    assert [pack.shard_range(index) for index in range(2)] == [range(300), range(300, 700)]
    assert [shard.rows for shard in pack.shards] == [300, 400]


def test_rows_are_selected_by_label_and_split(pack: Pack) -> None:
    expected = [n for n, (row, _) in enumerate(ROWS) if row.label == "dog" and row.split == "test"]
    assert pack.select("dog", "test").tolist() == expected
    assert pack.select(split="train").tolist() == [n for n in range(700) if n % 5]
    assert pack.select().tolist() == list(range(700))
    assert pack.select("horse").tolist() == []


def test_labels_and_splits_are_counted_without_the_unlabelled(pack: Pack) -> None:
    assert pack.labels() == {"cat": 234, "dog": 233}
    assert pack.splits() == {"test": 140, "train": 560}


def test_a_source_of_many_rows_is_a_collection_and_not_one_picture(tmp_path: Path) -> None:
    many = [(replace(row, source="web" if n < 101 else "cat"), image) for n, (row, image) in enumerate(ROWS[:105])]
    write_manifest(tmp_path, [write_shard(tmp_path, 0, many)])
    with Pack.open(tmp_path) as pack:
        assert set(pack.sources().tolist()) == {0, 1}
        assert pack.pictures().tolist() == [-1] * 101 + [1] * 4


def test_the_fingerprint_is_a_hash_over_the_shards_hashes(pack: Pack, folder: Path) -> None:
    digests = [hashlib.sha256((folder / f"shard-0000{n}.arrow").read_bytes()).hexdigest() for n in range(2)]
    assert [shard.sha256 for shard in pack.shards] == digests
    assert pack.fingerprint == hashlib.sha256("".join(digests).encode()).hexdigest()


def test_writing_the_same_rows_gives_the_same_bytes(tmp_path: Path) -> None:
    first, again = write_shard(tmp_path / "a", 0, ROWS[:10]), write_shard(tmp_path / "b", 0, ROWS[:10])
    assert first == again


def test_a_pack_grows_by_a_shard_and_keeps_its_rows(tmp_path: Path) -> None:
    first = write_shard(tmp_path, 0, ROWS[:10])
    write_manifest(tmp_path, [first])
    small = Pack.open(tmp_path)
    before = [small.jpeg(row) for row in range(10)]
    write_manifest(tmp_path, [first, write_shard(tmp_path, 1, ROWS[10:15])])
    grown = Pack.open(tmp_path)
    assert [grown.jpeg(row) for row in range(10)] == before
    assert (len(small), len(grown), grown.row(10).path) == (10, 15, "00010.png")
    assert small.fingerprint != grown.fingerprint


def test_a_shard_that_could_not_be_finished_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[tuple[PackRow, StoredImage]]:
        yield from ROWS[:300]
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        write_shard(tmp_path, 0, failing())
    assert list(tmp_path.iterdir()) == []


def test_an_open_pack_survives_a_shard_being_written_again(tmp_path: Path) -> None:
    write_manifest(tmp_path, [write_shard(tmp_path, 0, ROWS[:10])])
    opened = Pack.open(tmp_path)
    before = opened.jpeg(3)
    write_shard(tmp_path, 0, ROWS[50:53])  # a rename: the mapped file stays whole for whoever maps it
    assert opened.jpeg(3) == before


def test_an_empty_pack_has_no_rows_and_no_labels(tmp_path: Path) -> None:
    write_manifest(tmp_path, [])
    with Pack.open(tmp_path) as empty:
        assert (len(empty), empty.labels(), empty.splits(), empty.select("cat").tolist()) == (0, {}, {}, [])
        assert empty.metadata([]) == []


def test_any_text_is_kept_as_a_path_or_label(tmp_path: Path) -> None:
    names = ["naïve café.png", "a\nb.png", "100%.png", "🐈.png", "e\u0301.png", "é.png", "' \".png", "%FF.png"]
    records = [(replace(ROWS[0][0], path=name, label=name), ROWS[0][1]) for name in names]
    write_manifest(tmp_path, [write_shard(tmp_path, 0, records)])
    with Pack.open(tmp_path) as opened:
        assert [row.path for row in opened.metadata(range(len(names)))] == names
        assert opened.select(label="é.png").tolist() == [5]


def test_damage_is_found_and_names_the_file(tmp_path: Path) -> None:
    write_manifest(tmp_path, [write_shard(tmp_path, 0, ROWS[:300])])
    path = tmp_path / "shard-00000.arrow"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"\x00\x01" + whole[len(whole) // 2 + 2 :])
    with pytest.raises(PackDamaged, match=r"shard-00000\.arrow"):
        Pack.open(tmp_path).verify()
    path.unlink()
    with pytest.raises(PackDamaged, match=r"shard-00000\.arrow"):
        Pack.open(tmp_path).jpeg(0)


def test_a_shard_with_other_rows_than_recorded_is_refused(tmp_path: Path) -> None:
    shard = write_shard(tmp_path, 0, ROWS[:10])
    with pytest.raises(PackDamaged, match="10 rows, not 11"):
        Pack(tmp_path, [Shard(shard.file, 11, shard.sha256)]).row(0)


@pytest.mark.parametrize("text", ["", "[]", '{"shards": 3}', '{"shards": [{"file": "x"}]}'])
def test_a_broken_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(PackDamaged):
        Pack.open(tmp_path)


def test_the_manifest_lists_what_the_design_says(folder: Path) -> None:
    listed = json.loads((folder / MANIFEST).read_text())
    assert listed["rows"] == 700
    assert [set(shard) for shard in listed["shards"]] == [{"file", "rows", "sha256"}] * 2


def test_reading_a_row_does_not_read_the_pack(tmp_path: Path) -> None:
    """The map is read by the page: a row of a pack of 64 MB costs next to nothing."""
    import resource

    picture = replace(ROWS[0][1], jpeg=np.random.default_rng(0).bytes(64 * 1024))
    write_manifest(tmp_path, [write_shard(tmp_path, 0, [(ROWS[0][0], picture)] * 1024)])
    with Pack.open(tmp_path) as opened:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert opened.jpeg(1000) == picture.jpeg
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16_000  # kB
