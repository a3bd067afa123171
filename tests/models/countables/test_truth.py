from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.countables.masks import mask, runs
from models.countables.outlines import loops, path
from models.countables.scenes import draw
from models.countables.truth import count, tiles, whole

SHAPES = arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))
SCENES = {seed: draw(seed).truth for seed in (3, 7, 19)}
LINES = st.lists(st.floats(-20, 300, allow_nan=False), max_size=5)


def thing(name: str, kind: str, box: tuple[int, int, int, int], shape: np.ndarray, area: int) -> dict[str, object]:
    visible = float(shape.sum()) / area
    return {"id": name, "kind": kind, "box": list(box), "area": area, "visible": visible, "rle": runs(shape)}


@given(SHAPES)
def test_run_lengths_give_the_mask_back(shape: np.ndarray) -> None:
    lengths = runs(shape)
    assert np.array_equal(mask(lengths, *shape.shape), shape)
    assert sum(lengths) == shape.size
    assert all(length > 0 for length in lengths[1:])


@given(st.sampled_from(sorted(SCENES)), LINES, LINES)
def test_fractional_counts_add_up_exactly_under_every_tiling(seed: int, across: list[float], down: list[float]) -> None:
    truth = SCENES[seed]
    columns = [-1e9, *sorted(across), 1e9]
    rows = [-1e9, *sorted(down), 1e9]
    total: dict[str, Fraction] = {}
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            for kind, share in count(truth, (left, top, right, bottom)).fractional.items():
                total[kind] = total.get(kind, Fraction(0)) + share
    everything = count(truth, whole(truth))
    assert total == everything.fractional
    assert everything.fractional == {kind: Fraction(number) for kind, number in everything.present.items()}


def test_a_head_across_a_line_counts_a_half_on_each_side_and_is_present_in_both() -> None:
    head = thing("0", "head", (6, 2, 10, 6), np.ones((4, 4), bool), 16)
    truth = {"width": 16, "height": 16, "objects": [head]}
    left, right, *below = (count(truth, tile) for tile in tiles(truth, 8, 10))
    assert left.fractional == right.fractional == {"head": Fraction(1, 2)}
    assert left.present == right.present == {"head": 1}  # half of it is "at least half" on both sides
    assert [found.present for found in below] == [{"head": 0}, {"head": 0}]


def test_what_is_more_than_half_hidden_is_not_there_at_all() -> None:
    shape = np.zeros((4, 4), bool)
    shape[:, :2] = True
    for area, there in ((16, 1), (17, 0)):
        truth = {"width": 8, "height": 8, "objects": [thing("0", "coin", (0, 0, 4, 4), shape, area)]}
        found = count(truth, whole(truth))
        assert (found.present["coin"], found.fractional["coin"]) == (there, there)


def test_parts_are_counted_beside_the_objects_that_have_them() -> None:
    eye = thing("0.0", "eye", (1, 1, 2, 2), np.ones((1, 1), bool), 1)
    critter = thing("0", "critter", (0, 0, 4, 4), np.ones((4, 4), bool), 16) | {"parts": [eye, eye]}
    truth = {"width": 8, "height": 8, "objects": [critter, thing("1", "coin", (0, 0, 0, 0), np.ones((0, 0), bool), 1)]}
    assert count(truth, whole(truth)).present == {"critter": 1, "eye": 2, "coin": 0}


def test_a_pixel_belongs_to_the_tile_that_holds_its_middle() -> None:
    dot = thing("0", "coin", (3, 3, 4, 4), np.ones((1, 1), bool), 1)
    truth = {"width": 8, "height": 8, "objects": [dot]}
    assert count(truth, (0, 0, 3.5, 8)).present == {"coin": 0}
    assert count(truth, (3.5, 0, 8, 8)).present == {"coin": 1}
    assert count(truth, (0, 0, 3.51, 8)).present == {"coin": 1}


@given(SHAPES)
def test_outlines_enclose_exactly_the_mask(shape: np.ndarray) -> None:
    found = loops(shape)
    # The shoelace formula: outer loops count up, holes count down.
    doubled = sum(x0 * y1 - x1 * y0 for loop in found for (x0, y0), (x1, y1) in pairwise([*loop, loop[0]]))
    assert doubled == 2 * shape.sum()
    assert all(len(loop) >= 4 for loop in found)


def test_an_outline_as_a_path_by_hand() -> None:
    shape = np.array([[1, 1], [1, 0]], bool)
    drawn = path(shape, 10, 20)
    assert drawn.count("Z") == 1
    assert sorted(drawn.replace("M10 20", "").replace("Z", "").replace("H", " H").replace("V", " V").split()) == sorted(
        ["H12", "V21", "H11", "V22", "H10"]
    )
