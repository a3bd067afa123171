"""What a probe learns from and is tested on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.probes.rows import Unlabelled, choose
from tests.models.packing import nothing, pack_of


def chosen(folder: Path, rows: int, label: Callable[[int], str | None], **columns: Callable[[int], object]):  # type: ignore[no-untyped-def]
    with pack_of(folder, rows, label=label, **columns) as pack:  # type: ignore[arg-type]
        return choose(pack, train=100, test=100, least=2)


def of_two(row: int) -> str:
    return "cat" if row % 2 else "dog"


def test_a_gallerys_own_splits_are_kept(tmp_path: Path) -> None:
    found = chosen(tmp_path, 12, of_two, split=lambda row: "test" if row in (3, 8) else "train")
    assert found.test.tolist() == [3, 8] and len(found.train) == 10
    assert found.classes == ("cat", "dog")
    assert found.test_present.tolist() == [[1, 0], [0, 1]]
    assert not found.several and "its own splits" in found.part


def test_validation_images_are_learned_from_where_there_is_a_test(tmp_path: Path) -> None:
    """VOC's trainval against test; without a test split, validation is what is tested on."""
    splits = ("train", "val", "test", "val")
    all_three = chosen(tmp_path / "a", 16, of_two, split=lambda row: splits[row // 4])
    assert all_three.train.tolist() == [*range(8), *range(12, 16)]
    no_test = chosen(tmp_path / "b", 16, of_two, split=lambda row: "val" if row < 6 else "train")
    assert no_test.test.tolist() == list(range(6))


def test_without_splits_a_hash_decides_and_stays(tmp_path: Path) -> None:
    found = chosen(tmp_path / "a", 60, of_two)
    assert 6 <= len(found.test) <= 24 and len(found.train) + len(found.test) == 60
    assert not set(found.train) & set(found.test)
    again = chosen(tmp_path / "b", 50, of_two)
    assert set(again.test) == {row for row in found.test if row < 50}, "a row keeps its side as the gallery grows"
    assert "hash of its file" in found.part


def test_crops_of_one_picture_stay_on_one_side(tmp_path: Path) -> None:
    found = chosen(tmp_path, 60, of_two, source=lambda row: f"picture-{row // 4}")
    assert not {row // 4 for row in found.train} & {row // 4 for row in found.test}


def test_images_without_a_label_are_left_out(tmp_path: Path) -> None:
    found = chosen(
        tmp_path, 12, lambda row: None if row == 5 else of_two(row), split=lambda row: "test" if row > 8 else "train"
    )
    assert 5 not in [*found.train, *found.test]


def test_lists_of_classes_are_several_and_a_class_of_two_words_is_one(tmp_path: Path) -> None:
    parts = {"split": lambda row: "test" if row < 4 else "train"}
    lists = chosen(tmp_path / "a", 12, lambda row: ("horse", "person", "horse person")[row % 3], **parts)
    assert lists.several and lists.classes == ("horse", "person")
    words = chosen(tmp_path / "b", 12, lambda row: ("golf ball", "gas pump")[row % 2], **parts)
    assert not words.several and words.classes == ("gas pump", "golf ball")


def test_the_names_of_class_folders_are_single_labels_whatever_words_they_share(tmp_path: Path) -> None:
    names = ("sea", "lion", "sea lion")

    def name(row: int) -> str:
        return names[row % 3]

    split = {"split": lambda row: "test" if row < 6 else "train"}
    folders = chosen(tmp_path / "a", 18, name, path=lambda row: f"data/{name(row)}/{row}.png", **split)
    assert not folders.several and folders.classes == ("lion", "sea", "sea lion")
    flat = chosen(tmp_path / "b", 18, name, path=lambda row: f"images/{row}.png", **split)
    assert flat.several and flat.classes == ("lion", "sea")  # a manifest's: every word is also a label by itself
    partly = chosen(tmp_path / "c", 18, lambda row: ("sea", "sea lion")[row % 2], **split)
    assert not partly.several and partly.classes == ("sea", "sea lion")


def test_words_for_splits_are_known_in_any_case_and_unknown_ones_are_named(tmp_path: Path) -> None:
    known = chosen(tmp_path / "a", 24, of_two, split=lambda row: "Testing" if row < 6 else "TRAINING")
    assert known.test.tolist() == list(range(6)) and "its own splits" in known.part
    unknown = chosen(tmp_path / "b", 60, of_two, split=lambda row: f"fold-{row % 2}")
    assert unknown.part.endswith("; its splits fold-0, fold-1 are not train, val or test, and were ignored")


def test_counts_of_several_kinds_are_classes_and_255_is_ignored(tmp_path: Path) -> None:
    counts = ({"cat": 2, "dog": 0}, {"dog": 1, "cat": 255}, {"cat": 1, "dog": 3})
    found = chosen(
        tmp_path, 12, nothing, counts=lambda row: counts[row % 3], split=lambda row: "test" if row < 3 else "train"
    )
    assert found.several and found.classes == ("cat", "dog")
    assert found.test_present.tolist() == [[1, 0], [-1, 1], [1, 1]]


def test_what_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    def why(name: str, rows: int, label: Callable[[int], str | None], least: int = 2) -> str:
        with pack_of(tmp_path / name, rows, label=label) as pack, pytest.raises(Unlabelled) as error:
            choose(pack, train=100, test=100, least=least)
        return error.value.code

    assert why("none", 8, nothing) == "unlabelled"
    assert why("one", 8, lambda _: "cat") == "one_class"
    assert why("few", 8, of_two, least=20) == "too_few_images"


def test_at_most_so_many_are_taken_evenly_over_the_classes(tmp_path: Path) -> None:
    """Every second row of those to learn from would show one class only."""
    with pack_of(tmp_path, 40, label=of_two, split=lambda row: "test" if row >= 32 else "train") as pack:
        found = choose(pack, train=16, test=4, least=2)
        same, other = (choose(pack, train=16, test=test, least=2).stamp for test in (4, 6))
    assert len(found.train) == 16 and found.test.tolist() == [32, 33, 36, 37]
    assert found.train_present.sum(axis=0).tolist() == [8, 8]
    assert found.stamp == same != other
    assert np.all(np.diff(found.train) > 0)
