"""The sentence, held against things of which it is known what they follow."""

import numpy as np
import pytest

from models.counting.sweeps import Sweep, means_of
from models.counting.tuning import (
    CONTRAST,
    EMPTY,
    NUMBER,
    NUMBER_AND_AREA,
    SIZE,
    Effect,
    Response,
    difference,
    panel,
    responses,
)
from models.counting.tuning_words import beside, more, sentence
from models.statistics import Estimate

SEEDS = 12
COUNTS = (1.0, 2.0, 3.0, 5.0, 8.0)
SIDES = (0.06, 0.1, 0.18, 0.3, 0.45)
FIXED_AREA, FIXED_SIDE = 0.12, 0.14


class Scenes:
    """Number, area and outline of the scenes of five sweeps, and the rows that belong together."""

    def __init__(self) -> None:
        self.sweeps: dict[str, Sweep] = {}
        self._cells: list[tuple[float, float, float]] = []  # number, side of each object, contrast
        self._add(NUMBER, COUNTS, [(n, np.sqrt(FIXED_AREA / n), 1) for n in COUNTS])
        self._add(NUMBER_AND_AREA, COUNTS, [(n, FIXED_SIDE, 1) for n in COUNTS])
        self._add(SIZE, SIDES, [(1, side, 1) for side in SIDES])
        self._add(CONTRAST, (0.2, 0.5, 1.0), [(3, 0.2, contrast) for contrast in (0.2, 0.5, 1.0)])
        self._add(EMPTY, ("brick", "flat"), [(0, 0, 1), (0, 0, 1)])
        self.number, self.side, self.contrast = np.array(self._cells).T
        self.area = self.number * self.side**2
        self.outline = self.contrast * 4 * self.number * self.side

    def _add(
        self, name: str, levels: tuple[float, ...] | tuple[str, ...], cells: list[tuple[float, float, float]]
    ) -> None:
        first = len(self._cells)
        rows = first + np.arange(SEEDS * len(cells)).reshape(SEEDS, len(cells))
        self._cells += [cell for _ in range(SEEDS) for cell in cells]
        self.sweeps[name] = Sweep(name, levels, tuple(range(SEEDS)), rows)

    def response(self, values: np.ndarray, *, noise: float = 0.02) -> Response:
        """The values with multiplicative noise, as a scan would give them."""
        shaken = values * np.exp(noise * np.random.default_rng(3).normal(size=len(values)))
        return self.asked(shaken)

    def asked(self, values: np.ndarray) -> Response:
        panels = {name: panel(values[:, None], sweep, self.area) for name, sweep in self.sweeps.items()}
        (found,) = responses(panels, values[:, None])
        return found


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    return Scenes()


def test_an_oracle_that_counts_follows_number(scenes: Scenes) -> None:
    found = scenes.response(scenes.number)
    assert sentence(found).startswith("The total follows number more than object size (ρ ")
    assert sentence(found).endswith("1.00 [1.00, 1.00] with number at fixed area); empty ground counts 0.0 [0.0, 0.0].")
    power = found.power(NUMBER)
    assert power is not None and power.value == pytest.approx(1, abs=0.02)


def test_an_oracle_that_measures_area_follows_size(scenes: Scenes) -> None:
    found = scenes.response(scenes.area)
    assert sentence(found).startswith("The total follows object size more than number (ρ 1.00 [1.00, 1.00] with size")
    both, size = found.power(NUMBER_AND_AREA), found.power(SIZE)
    assert both is not None and both.value == pytest.approx(1, abs=0.02), "at fixed size number brings area along"
    assert size is not None and size.value == pytest.approx(1, abs=0.02)


def test_edge_energy_follows_both_alike(scenes: Scenes) -> None:
    text = sentence(scenes.response(scenes.outline))
    assert text.startswith("The total follows both number and object size, and these scenes do not settle which more")
    assert "it rises with contrast (ρ 1.00" in text


def test_ground_that_counts_does_not_change_the_verdict(scenes: Scenes) -> None:
    """Each seed's ground adds its own five to ten: powers shrink, what is followed stays."""
    seeds = np.zeros(len(scenes.number))
    for sweep in scenes.sweeps.values():
        seeds[sweep.rows] = np.arange(SEEDS)[:, None]
    found = scenes.response(scenes.number + 5 + seeds / 2, noise=0.002)
    assert sentence(found).startswith("The total follows number more than object size")
    power = found.power(NUMBER)
    assert power is not None and power.value < 0.5


def test_a_constant_follows_nothing_and_counts_empty_ground(scenes: Scenes) -> None:
    text = sentence(scenes.response(np.full(len(scenes.number), 3.0), noise=0))
    assert text == "The total moves with neither number nor object size; empty ground counts 3.0 [3.0, 3.0]."


def test_what_follows_both_without_fail_is_settled_by_power(scenes: Scenes) -> None:
    """area^.8 at one object; number^.2 where the area is fixed."""
    mixed = scenes.area**0.8 * np.maximum(scenes.number, 1) ** 0.2
    text = sentence(scenes.response(mixed, noise=0.001))
    assert text.startswith("The total follows object size more than number (ρ 1.00 [1.00, 1.00] with size, 1.00 [1.00,")


def test_where_rho_and_power_disagree_nothing_is_said_to_be_followed_more() -> None:
    """Size is followed more surely, number more steeply."""
    sure, unsure = Estimate(0.9, 0.8, 1.0), Estimate(0.4, 0.3, 0.5)
    steep, flat = Estimate(1.0, 0.9, 1.1), Estimate(0.1, 0.0, 0.2)
    found = Response({SIZE: Effect(sure, 0.5, flat), NUMBER: Effect(unsure, 0.5, steep)}, None)
    assert more(found) == 0 and "do not settle which more" in sentence(found)
    agreed = Response({SIZE: Effect(sure, 0.5, steep), NUMBER: Effect(unsure, 0.5, flat)}, None)
    assert more(agreed) == 1


def test_noise_takes_the_claim_away(scenes: Scenes) -> None:
    """The oracle that counts, under noise so large that twelve seeds cannot tell: what was said before is not said."""
    assert "more than object size (" not in sentence(scenes.response(np.maximum(scenes.number, 0.1) ** 0.1, noise=2.5))


def test_noise_alone_claims_that_one_is_followed_more_about_as_seldom_as_an_interval_misses(scenes: Scenes) -> None:
    """Both the gap and the sign have to leave 0 behind: of forty, one or two."""
    claims = 0
    for seed in range(40):
        noise = np.random.default_rng(seed).lognormal(sigma=0.5, size=len(scenes.number))
        claims += "more than" in sentence(scenes.asked(noise)).replace("whether more than", "")
    assert claims <= 3


def test_a_total_that_falls_is_said_to_fall(scenes: Scenes) -> None:
    falling = scenes.area / np.maximum(scenes.number, 0.5) ** 2
    assert sentence(scenes.response(falling)).startswith("The total rises with object size and falls with number")


def test_edge_energy_is_told_from_counting_and_not_from_itself(scenes: Scenes) -> None:
    edges, counter = scenes.response(scenes.outline), scenes.response(scenes.number)
    twin = scenes.response(5 * scenes.outline)
    assert beside(counter, edges, "edge energy").startswith(
        "The total differs from edge energy in how it follows size:"
    )
    assert beside(twin, edges, "edge energy").startswith(
        "By these sweeps the total cannot be told from edge energy, which has ρ 1.00"
    )


def test_a_gallery_without_sweeps_gets_no_claim() -> None:
    (found,) = responses({}, np.ones((3, 1)))
    assert sentence(found) == "The total has no sweeps where number and object size are told apart."
    assert beside(found, found, "edge energy") == ""


def test_a_difference_is_as_uncertain_as_both_together() -> None:
    found = difference(Estimate(5, 2, 8), Estimate(1, -3, 5))
    assert (found.value, found.low, found.high) == (4, -1, 9)  # 3-4-5


def test_a_mean_is_that_of_all_and_its_interval_that_of_seeds() -> None:
    (found,) = means_of(np.array([[[1.0], [3.0]], [[1.0], [3.0]]]))
    assert (found.value, found.low, found.high) == (2, 2, 2)


def test_curves_are_shown_relative_to_their_own_mean(scenes: Scenes) -> None:
    """1, 2, 3, 5, 8 objects: mean 3.8; something a hundred times as large has the same curve."""
    both = np.column_stack([scenes.number, 100 * scenes.number, 0 * scenes.number])
    found = panel(both, scenes.sweeps[NUMBER], scenes.area)
    assert found.relative.mean[:, 0] == pytest.approx(np.array(COUNTS) / 3.8)
    assert found.relative.mean[:, 1] == pytest.approx(found.relative.mean[:, 0])
    assert np.isnan(found.relative.mean[:, 2]).all(), "what is silent has no curve"
    assert found.effects[0].explained == pytest.approx(1) and found.effects[2].explained is None
