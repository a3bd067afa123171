"""Lines with bands, large and the size of a word: what is drawn is where the numbers are."""

import math
import re

from app.web.charts import band_chart
from app.web.sparks import spark


def path(svg: str, kind: str) -> str:
    found = re.search(rf'<path class="{kind}" d="([^"]*)"', svg)
    assert found
    return found[1]


def test_a_band_goes_along_its_upper_edge_and_back_along_its_lower_one() -> None:
    """x from 0 to 2, y from 0 to 4, in a drawing of 1000 by 1000 whose y points down."""
    svg = band_chart({"total": [(0, 2, 1, 3), (2, 3, 2, 4)]})
    assert path(svg, "band") == "M0.0 250.0L1000.0 0.0L1000.0 500.0L0.0 750.0Z"
    assert path(svg, "line").startswith("M0.0 500.0")


def test_what_is_not_finite_has_no_band() -> None:
    nothing = (math.nan, math.nan, math.nan)
    svg = band_chart({"silent": [(0, *nothing), (1, *nothing)]}, guide=[(0, 1), (1, 1)])
    assert path(svg, "band") == "" and path(svg, "line") == ""


def test_the_first_series_lies_on_top_and_keys_stay_in_order() -> None:
    svg = band_chart({"total": [(0, 1, 1, 1), (1, 2, 2, 2)], "edges": [(0, 1, 1, 1), (1, 1, 1, 1)]})
    assert svg.index("<title>edges") < svg.index("<title>total")
    assert svg.index('key s1">total') < svg.index('key s2">edges')


def test_the_guide_is_part_of_the_scale() -> None:
    svg = band_chart({"total": [(0, 1, 1, 1), (1, 1, 1, 1)]}, guide=[(0, 0), (1, 10)])
    assert path(svg, "guide") == "M0.0 1000.0L0.0 1000.0L1000.0 0.0"


def test_a_spark_reaches_from_nought_to_its_top() -> None:
    svg = spark([(0, 0, 1), (5, 4, 6), (10, 10, 10)], top=10, label="unit 3")
    assert path(svg, "line") == "M0.0 28.0L50.0 14.0L100.0 0.0"
    assert path(svg, "band") == "M0.0 25.2L50.0 11.2L100.0 0.0L100.0 0.0L50.0 16.8L0.0 28.0Z"


def test_a_silent_spark_is_empty_and_still_named() -> None:
    svg = spark([(0, 0, 0), (0, 0, 0)], top=0, label="unit 3")
    assert "path" not in svg and 'aria-label="unit 3"' in svg
