"""Number and area inside a crop, by hand; and what a scan keeps of them."""

import math
from pathlib import Path

import numpy as np
import pytest

from models.countables.masks import runs
from models.counting import predictors
from models.counting.predictors import Predictors, inside


def thing(left: int, top: int, side: int, *, hidden: int = 0) -> dict[str, object]:
    """A square whose first `hidden` columns something else covers."""
    seen = np.ones((side, side), dtype=bool)
    seen[:, :hidden] = False
    box = [left, top, left + side, top + side]
    return {"kind": "ball", "box": box, "area": side * side, "rle": runs(seen)}


def truth(*things: dict[str, object]) -> dict[str, object]:
    return {"width": 20, "height": 20, "objects": list(things)}


def test_an_object_across_the_edge_counts_by_its_share() -> None:
    number, area = inside(truth(thing(0, 0, 4), thing(8, 8, 4)), (0, 0, 10, 10))
    assert number == 1.25, "a quarter of the second lies inside"
    assert area == pytest.approx((16 + 4) / 100)


def test_what_is_mostly_hidden_does_not_count_but_covers() -> None:
    number, area = inside(truth(thing(0, 0, 4, hidden=3)), (0, 0, 10, 10))
    assert (number, area) == (0, 0.04)
    assert inside(truth(thing(0, 0, 4, hidden=2)), (0, 0, 10, 10))[0] == 1


def test_tiles_of_a_scene_add_up() -> None:
    scene = truth(thing(1, 2, 7, hidden=1), thing(9, 5, 6), thing(3, 12, 5))
    tiles = [(0, 0, 9, 8), (9, 0, 20, 8), (0, 8, 9, 20), (9, 8, 20, 20)]
    assert sum(inside(scene, tile)[0] for tile in tiles) == pytest.approx(3)


def test_an_empty_scene_holds_nothing_and_a_photo_is_not_known() -> None:
    assert inside(truth(), (0, 0, 20, 20)) == (0, 0)
    assert all(math.isnan(value) for value in inside(None, (0, 0, 20, 20)))


def test_they_are_kept_beside_a_scan_and_only_for_the_rows_it_covers(tmp_path: Path) -> None:
    known = Predictors(*np.arange(10, dtype=np.float32).reshape(5, 2))
    predictors.save(tmp_path, known)
    found = predictors.load(tmp_path, 2)
    assert found is not None and found.edge_energy.tolist() == [4, 5]
    assert predictors.load(tmp_path, 3) is None, "the scan was extended since"


def test_a_damaged_or_missing_file_is_none(tmp_path: Path) -> None:
    assert predictors.load(tmp_path, 2) is None
    (tmp_path / predictors.PREDICTORS).write_bytes(b"PK\x03\x04 cut short")
    assert predictors.load(tmp_path, 2) is None
