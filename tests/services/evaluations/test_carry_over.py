"""Trained on x tested on: which network and gallery stand for photos and for countables, and what fills the cells."""

from collections.abc import Mapping
from typing import Any

from app.services.evaluations.carry_over import Candidate, family_of, two_by_two
from models.evaluations.files import Evaluation


def evaluation(gallery: str, ratio: float, rho: float | None = None) -> Evaluation:
    def cell(value: float) -> dict[str, Any]:
        return {"value": value, "interval": [value - 0.1, value + 0.1], "n": 40}

    network = {"additivity_ratio": cell(ratio), "r2_adding": cell(0.5), "r2_averaging": cell(0.1)}
    if rho is not None:
        network["unit_and_number"] = {**cell(rho), "pictures": 4}
    measures = {
        "network": network,
        "random_init": {"additivity_ratio": cell(0.3)},
        "averager": {"additivity_ratio": cell(0.25)},
    }
    return Evaluation("x", gallery, "0" * 64, "1" * 64, "test split", 40, 0, 0, 0, measures)


def candidate(slug: str, trained_on: str | None, tests: Mapping[str, Evaluation]) -> Candidate:
    return Candidate(slug, slug, trained_on, tests)


PHOTOS = candidate(
    "counting-photos",
    "photos-train",
    {"photos-eval": evaluation("photos-eval", 0.86), "countables": evaluation("countables", 0.56, -0.14)},
)
SCENES = candidate(
    "counting-countables",
    "countables-train",
    {"countables": evaluation("countables", 0.9, 0.7), "photos-eval": evaluation("photos-eval", 0.4)},
)
HERE = {"countables": True, "sample-photos": False}


def ratios(table: Any) -> list[list[float | None]]:
    return [[cell.ratio.value if cell else None for cell in row.cells] for row in (*table.rows, *table.controls)]


def test_what_tessera_drew_is_countables_and_all_else_is_photos() -> None:
    assert [family_of(slug, HERE) for slug in ("countables", "countables-train", "photos-train")] == [
        "countables",
        "countables",
        "photos",
    ]
    assert family_of("mine", {"mine": True}) == "countables"  # by its source, whatever its name
    assert family_of("countables-of-mine", {"countables-of-mine": False}) == "photos"


def test_the_bundled_networks_fill_the_table_beside_their_controls() -> None:
    newer = candidate("counting-on-holidays", "holidays", {"holidays": evaluation("holidays", 0.99)})
    table = two_by_two([newer, SCENES, PHOTOS, candidate("random-init", None, {})], HERE, {})
    assert [row.slug for row in table.rows] == ["counting-photos", "counting-countables"]
    assert [(column.gallery, column.here) for column in table.columns] == [("photos-eval", False), ("countables", True)]
    assert ratios(table) == [[0.86, 0.56], [0.4, 0.9], [0.3, 0.3], [0.25, 0.25]]
    assert table.rows[1].cells[1] is not None and table.rows[1].cells[1].unit is not None
    assert table.rows[1].cells[1].unit.value == 0.7


def test_before_there_is_a_second_network_its_row_is_empty() -> None:
    table = two_by_two([PHOTOS], HERE, {})
    assert ratios(table) == [[0.86, 0.56], [None, None], [0.3, 0.3], [0.25, 0.25]]
    assert (table.rows[1].family, table.rows[1].slug) == ("countables", None)


def test_a_column_is_one_gallery_the_one_that_most_rows_were_measured_on() -> None:
    photos = candidate("counting-photos", "photos-train", {**PHOTOS.tests, "sample-photos": evaluation("s", 0.8)})
    scenes = candidate("counting-countables", "countables-train", {"sample-photos": evaluation("s", 0.5)})
    table = two_by_two([photos, scenes], HERE, {})
    assert table.columns[0].gallery == "sample-photos"
    assert ratios(table)[:2] == [[0.8, 0.56], [0.5, None]]


def test_where_a_gallery_knows_no_numbers_the_correlation_is_of_another_and_says_so() -> None:
    marked = evaluation("sample-photos", 0.7, 0.2)
    table = two_by_two([candidate("counting-photos", "p", {**PHOTOS.tests, "sample-photos": marked})], HERE, {})
    cell = table.rows[0].cells[0]
    assert cell is not None and cell.unit is not None and cell.ratio is not None
    assert (cell.gallery, cell.ratio.value) == ("photos-eval", 0.86)
    assert (cell.unit.value, cell.numbers_of, cell.pictures) == (0.2, "sample-photos", 4)


def test_nothing_measured_is_an_empty_table_that_can_be_filled_here() -> None:
    table = two_by_two([candidate("mine", "holidays", {})], HERE, {})
    assert [column.gallery for column in table.columns] == ["sample-photos", "countables"]
    assert all(column.here for column in table.columns)
    assert ratios(table) == [[None, None]] * 4
