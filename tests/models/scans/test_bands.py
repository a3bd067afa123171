"""The best and the worst equations within thirds of the magnitude, on numbers that can be checked by hand."""

import numpy as np
import pytest

from models.scans.best_equations import bands
from models.scans.files import Equations


def equations(pairs: list[tuple[float, float]]) -> Equations:
    """One unit; each image a (whole, sum)."""
    return Equations(np.float32([[whole] for whole, _ in pairs]), np.float32([[total] for _, total in pairs]))


def test_each_third_ranks_its_own_images() -> None:
    # sums 1, 2 | 4, 5 | 9, 10; relative residuals (w - s)^2 / w^2: 1, 0 | 0, 1/16 | 0, 1/4
    found = bands(equations([(0.5, 1), (10 / 1.5, 10), (4, 4), (9, 9), (2, 2), (4, 5)]), each=1)
    assert [band.name for band in found] == ["faint", "middle", "full"]
    assert [(band.low, band.high) for band in found] == [(1, 2), (4, 5), (9, 10)]
    assert [band.best[0].row for band in found] == [4, 2, 3]
    assert [band.worst[0].row for band in found] == [0, 5, 1]
    assert [band.worst[0].relative for band in found] == pytest.approx([1, 1 / 16, 1 / 4])
    assert [band.median for band in found] == pytest.approx([1 / 2, 1 / 32, 1 / 8])


def test_an_image_whose_whole_counts_nothing_has_no_relative_residual() -> None:
    found = bands(equations([(0, 1), (1, 1), (2, 2), (2, 3), (5, 5), (5, 6)]))
    assert (found[0].images, found[0].empty, found[0].median) == (1, 1, 0)
    assert found[0].best == () and found[0].worst == ()  # one image is neither the best nor the worst of anything


def test_no_image_is_both_best_and_worst() -> None:
    rng = np.random.default_rng(0)
    found = bands(Equations(rng.random((20, 3), np.float32), rng.random((20, 3), np.float32)))
    assert sum(band.images for band in found) == 20
    for band in found:
        best, worst = {item.row for item in band.best}, {item.row for item in band.worst}
        assert len(best) == len(worst) == 3 and not best & worst
        assert max(item.relative for item in band.best) <= min(item.relative for item in band.worst)
        assert all(band.low <= item.total <= band.high for item in (*band.best, *band.worst))


def test_a_handful_of_images_makes_no_thirds() -> None:
    assert bands(equations([(1, 1)] * 5)) == ()
