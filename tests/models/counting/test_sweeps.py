"""Matched comparisons on values that can be worked out by hand."""

import numpy as np
import pytest

from models.counting.sweeps import curves, elasticity, explained, follows, means_of, sweeps_of
from models.statistics import ranks

LEVELS = np.array([1.0, 2.0, 4.0, 8.0])


def scene(sweep: str | None, level: float | str | None, seed: int) -> dict[str, object]:
    return {"sweep": sweep, "level": level, "seed": seed}


def seeds_of(curve: np.ndarray, *, seeds: int = 12, scale: float = 0.0, noise: float = 0.0) -> np.ndarray:
    """The same curve (L,) for every seed, each at its own height, with noise: (S, L, 1)."""
    rng = np.random.default_rng(1)
    heights = scale * np.arange(seeds)[:, None]
    return (curve + heights + noise * rng.normal(size=(seeds, len(curve))))[:, :, None]


def test_scenes_are_grouped_by_sweep_and_matched_by_seed() -> None:
    scenes = [
        None,
        scene(None, None, 7),
        *(scene("size", level, seed) for seed in (5, 3) for level in (0.4, 0.1)),
        scene("size", 0.1, 9),  # has no 0.4: it cannot be compared within itself
        *(scene("empty", ground, seed) for ground in ("flat", "brick") for seed in (1, 2)),
    ]
    found = sweeps_of(scenes)
    assert set(found) == {"size", "empty"}
    assert found["size"].levels == (0.1, 0.4) and found["size"].seeds == (3, 5)
    assert found["size"].rows.tolist() == [[5, 4], [3, 2]]
    assert found["empty"].levels == ("brick", "flat") and not found["empty"].numeric


def test_one_seed_or_one_level_is_no_sweep() -> None:
    assert sweeps_of([scene("size", 0.1, 1), scene("size", 0.2, 1)]) == {}
    assert sweeps_of([scene("size", 0.1, 1), scene("size", 0.1, 2)]) == {}


def test_the_band_leaves_out_what_seeds_differ_in_at_every_level() -> None:
    """Seeds from 0 to 1100, each with exactly the same curve: nothing is uncertain about how it moves."""
    found = curves(seeds_of(LEVELS, scale=100))
    assert found.mean[:, 0] == pytest.approx(LEVELS + 550)
    assert found.low[:, 0] == pytest.approx(LEVELS + 550) and found.high[:, 0] == pytest.approx(LEVELS + 550)


def test_the_band_is_as_wide_as_noise_makes_it() -> None:
    """Noise of 1 in 400 seeds: the mean is known to about 1.96 / 20, though seeds are far apart."""
    found = curves(seeds_of(LEVELS, seeds=400, scale=10, noise=1))
    assert (found.high - found.low)[:, 0] / 2 == pytest.approx(1.96 / 20, rel=0.2)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Twelve seeds, two hundred times; a percentile bootstrap that is not widened covers about 91 %."""
    rng = np.random.default_rng(5)
    found = [means_of(rng.normal(size=(12, 4, 1)))[0] for _ in range(200)]
    assert np.mean([estimate.low <= 0 <= estimate.high for estimate in found]) >= 0.92


def test_rho_is_one_up_minus_one_down_and_nought_for_what_never_moves() -> None:
    values = np.concatenate([seeds_of(LEVELS), seeds_of(-LEVELS), seeds_of(0 * LEVELS)], axis=2)
    assert [estimate.value for estimate in follows(values, LEVELS)] == pytest.approx([1, -1, 0])


def test_rho_is_averaged_over_seeds() -> None:
    """Three seeds up, one down: (3 - 1) / 4; with four seeds that is not settled."""
    values = np.stack([LEVELS, LEVELS, LEVELS, -LEVELS])[:, :, None]
    (found,) = follows(values, LEVELS)
    assert found.value == pytest.approx(0.5) and found.sign == 0


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_elasticity_is_the_power(power: float) -> None:
    factor = np.broadcast_to(LEVELS, (12, 4))
    values = (np.arange(1, 13)[:, None] * LEVELS**power)[:, :, None]
    (found,) = elasticity(values, factor)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((power, power, power))


def test_a_level_of_nought_is_left_out_of_the_elasticity() -> None:
    levels = np.array([0.0, 1.0, 2.0, 4.0])
    (found,) = elasticity(seeds_of(levels), np.broadcast_to(levels, (12, 4)))
    assert found is not None and found.value == pytest.approx(1)


def test_what_is_silent_has_no_elasticity() -> None:
    silent = np.zeros((12, 4, 1))
    assert elasticity(silent, np.broadcast_to(LEVELS, (12, 4))) == [None]
    assert elasticity(seeds_of(LEVELS), np.full((12, 4), 0.2)) == [None], "a factor that never moves"


def test_the_level_explains_all_of_a_shared_curve_and_nothing_of_noise() -> None:
    shared, noise = seeds_of(LEVELS, scale=3), seeds_of(0 * LEVELS, seeds=300, noise=1)
    assert explained(shared) == pytest.approx(1)
    assert explained(noise)[0] == pytest.approx(0, abs=0.01)
    assert np.isnan(explained(seeds_of(0 * LEVELS)))


def test_equal_values_share_their_mean_rank() -> None:
    values = np.array([[3.0, 1.0], [1.0, 1.0], [3.0, 1.0], [2.0, 0.0]])
    assert ranks(values).T.tolist() == [[2.5, 0.0, 2.5, 1.0], [2.0, 2.0, 2.0, 0.0]]
