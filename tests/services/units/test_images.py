"""The rows of a unit's page: which images stand for its best, its 90th percentile, its median, chance and silence."""

import numpy as np
import pytest

from app.services.units.images import UnitAnswers, at_quantile, one_per_source
from app.services.units.neighbours import overlaps
from models.scans.maxima import UnitMaxima
from models.scans.unit_tables import UnitTable

VALUES = np.array([0, 5, 1, 0, 9, 3, 7, 0, 2, 4, 6, 8, 10, 11], dtype=np.float32)  # eleven above zero


def table_of(rows: np.ndarray, values: np.ndarray) -> UnitTable:
    units, nothing = len(rows), np.zeros_like(rows, dtype=np.int16)
    ones = np.ones(units)
    return UnitTable(
        14, values.astype(np.float32), rows.astype(np.int32), nothing, nothing,
        values.max(axis=1).astype(np.float32), ones, ones.astype(np.int64), np.zeros((units, 65), np.int32),
    )  # fmt: skip


def answers(values: np.ndarray = VALUES) -> UnitAnswers:
    cells = np.stack((np.arange(len(values)), np.arange(len(values))), axis=1)
    return UnitAnswers(UnitMaxima(values, cells), table_of(np.array([[13]]), np.array([[11.0]])), 0)


def rows(name: str, *, count: int = 3, sources: np.ndarray | None = None, seed: int = 0) -> list[int]:
    chosen = answers().choose(name, sources=sources, count=count, seed=seed)  # type: ignore[arg-type]
    return [answer.row for answer in chosen.answers]


def test_the_best_come_first() -> None:
    assert rows("top") == [13, 12, 4]


@pytest.mark.parametrize(("name", "level", "around"), [("p90", 10.0, [13, 12, 4]), ("median", 6.0, [6, 10, 1])])
def test_percentiles_are_of_the_images_that_fire_it(name: str, level: float, around: list[int]) -> None:
    chosen = answers().choose(name, sources=None, count=3, seed=0)  # type: ignore[arg-type]
    assert chosen.level == level and chosen.among == 11
    assert [answer.row for answer in chosen.answers] == around  # the image itself in the middle, largest first


def test_silent_images_are_silent_and_random_ones_are_any() -> None:
    assert set(rows("zero", count=8)) == {0, 3, 7}
    assert set(rows("random", count=14)) == set(range(14))


def test_the_same_seed_draws_the_same_and_another_others() -> None:
    assert rows("random", seed=5) == rows("random", seed=5) != rows("random", seed=6)


def test_cells_and_exact_values_come_with_the_rows() -> None:
    values = VALUES.copy()
    values[13] = np.float32(10.9921875)  # as half precision keeps it
    top = answers(values).choose("top", sources=None, count=1, seed=0).answers[0]
    assert (top.row, top.value, top.cell) == (13, 11.0, (13, 13))


def test_one_image_a_source_and_those_without_one_are_their_own() -> None:
    sources = np.array([0, 0, 1, -1, -1, 1], dtype=np.int32)
    assert one_per_source([0, 1, 2, 3, 4, 5], sources, 9) == [0, 2, 3, 4]
    assert one_per_source([5, 2, 1], sources, 1) == [5]
    assert one_per_source([0, 1, 2], None, 2) == [0, 1]


def test_a_quantile_of_one_image_is_that_image() -> None:
    assert [at_quantile(count, 0.9) for count in (1, 2, 11)] == [0, 0, 1]


def test_a_unit_that_nothing_fires_has_only_random_and_silent_images() -> None:
    silent = UnitAnswers(UnitMaxima(np.zeros(4, np.float32), None), table_of(np.array([[0]]), np.array([[0.0]])), 0)
    found = {name: silent.choose(name, sources=None, count=8, seed=0) for name in ("top", "p90", "median", "zero")}
    assert [len(found[name].answers) for name in found] == [0, 0, 0, 4] and found["median"].level is None


def test_overlap_is_the_jaccard_index_of_the_top_images() -> None:
    top = np.array([[1, 2, 3, 4], [3, 4, 5, 6], [1, 2, 3, 4], [7, 8, 9, 10], [1, 2, 3, 4]])
    values = np.array([[4, 3, 2, 1]] * 4 + [[0, 0, 0, 0]], dtype=np.float32)  # the last is dead: its list says nothing
    found = overlaps(table_of(top, values), 0)
    assert [(other.unit, other.shared, other.jaccard) for other in found.most] == [(2, 4, 1.0), (1, 2, 2 / 6)]
    assert found.top == 4 and found.others == 3 and found.mean == pytest.approx((1 + 1 / 3 + 0) / 3)
