"""What a checkpoint was trained on is found again: the same files, and copies that look the same."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pytest

from models.galleries.packs import Pack
from models.galleries.phash import phashes
from models.seen import SEEN, comparable_hashes, nothing_seen, read_seen, was_seen, write_seen, write_seen_images
from tests.models.packing import pack_of


def seen_in(pack: Pack, folder: Path) -> list[bool]:
    seen, hashes = read_seen(folder), pack.phashes()
    assert seen is not None and hashes is not None
    return was_seen(seen, pack.sha256s(), comparable_hashes(pack, range(len(pack)), hashes)).tolist()


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A checkpoint folder of a network that was trained on the first eight of twelve photos."""
    write_seen(tmp_path / "checkpoint", pack_of(tmp_path / "training", 12), range(8))
    return tmp_path / "checkpoint"


def test_the_rows_that_were_trained_on_are_found_and_held_out_ones_are_not(tmp_path: Path, trained: Path) -> None:
    assert seen_in(Pack.open(tmp_path / "training"), trained) == [True] * 8 + [False] * 4


def test_a_copy_that_was_saved_anew_is_found_by_its_looks(tmp_path: Path, trained: Path) -> None:
    other = pack_of(tmp_path / "copies", 6, first=5, quality=60)
    assert not set(other.sha256s()) & set(Pack.open(tmp_path / "training").sha256s())
    assert seen_in(other, trained) == [True, True, True, False, False, False]


def test_the_same_file_is_found_whatever_its_hash_says(trained: Path, tmp_path: Path) -> None:
    seen = read_seen(trained)
    assert seen is not None
    sha256s = Pack.open(tmp_path / "training").sha256s()
    assert was_seen(seen, sha256s, np.zeros(12, dtype=np.uint64)).tolist() == [True] * 8 + [False] * 4


def test_a_generated_scene_is_only_seen_as_the_very_file(tmp_path: Path) -> None:
    scene = {"kinds": {}, "number": 0, "ground": "sand", "sweep": None}
    trained = pack_of(tmp_path / "training", 4, scene=lambda _row: scene)
    write_seen(tmp_path / "checkpoint", trained, range(4))
    assert seen_in(trained, tmp_path / "checkpoint") == [True] * 4
    assert seen_in(pack_of(tmp_path / "alike", 4, quality=60), tmp_path / "checkpoint") == [False] * 4


def test_a_generated_scene_is_no_copy_of_a_photo_that_looks_like_it(tmp_path: Path, trained: Path) -> None:
    scene = {"kinds": {}, "number": 0, "ground": "sand", "sweep": None}
    alike = pack_of(tmp_path / "scenes", 4, quality=60, scene=lambda _row: scene)
    assert seen_in(pack_of(tmp_path / "photos", 4, quality=60), trained) == [True] * 4
    assert seen_in(alike, trained) == [False] * 4


def test_a_network_that_saw_nothing_says_so_and_one_without_a_list_does_not_say(tmp_path: Path) -> None:
    write_seen_images(tmp_path, nothing_seen())
    seen = read_seen(tmp_path)
    assert seen is not None and not was_seen(seen, ["ab" * 32], np.array([5], dtype=np.uint64)).any()
    assert read_seen(tmp_path / "elsewhere") is None
    (tmp_path / SEEN).write_bytes(b"cut")
    assert read_seen(tmp_path) is None


def test_a_pack_written_before_there_were_hashes_is_still_matched(tmp_path: Path) -> None:
    pack = pack_of(tmp_path / "old", 3)
    hashes = pack.phashes()
    shard = tmp_path / "old" / pack.shards[0].file
    with pa.ipc.open_file(shard) as reader:
        table = reader.read_all().drop_columns(["phash", "scene", "truth"])
    with pa.ipc.new_file(shard, table.schema) as writer:
        writer.write_table(table)
    with Pack(pack.folder, pack.shards) as old:
        assert old.phashes() is None
        assert old.row(1).path == "00001.jpg" and old.scenes() == [None] * 3
        assert (phashes(old.jpeg(row) for row in range(3)) == hashes).all()
        write_seen(tmp_path / "again", old, [0, 2])
    seen = read_seen(tmp_path / "again")
    assert seen is not None and hashes is not None
    assert was_seen(seen, ["0"] * 3, hashes).tolist() == [True, False, True]
