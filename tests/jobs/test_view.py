"""A job as it is looked at: what shares an axis, and what the form of a training says."""

import pytest

from app.failures import BadQuery
from app.services.checkpoints.curves import collapsed_cost, curve_groups
from app.services.training.form import train_spec
from app.web.curve_charts import curve_chart


def test_pull_and_push_share_a_logarithmic_axis_with_the_cost_of_counting_nothing() -> None:
    line = [(1, 2.0)]
    groups = curve_groups({"loss": line, "tiles_add_up": line, "others_differ": [(1, 0.0)], "lr": line}, 10.0)
    assert [(group.title, list(group.series), group.log) for group in groups] == [
        ("Pull and push", ["pull", "push"], True),
        ("Loss", ["loss"], False),
        ("Learning rate", ["learning rate"], False),
    ]
    assert groups[0].levels == groups[1].levels == {"collapsed: counts nothing (10.000)": 10.0}
    drawn = curve_chart(groups[0])
    assert "collapsed: counts nothing (10.000)" in drawn and drawn.count("<path") == 2  # a push of 0 is drawn as well
    assert [group.title for group in curve_groups({"skipped": line, "added": line})] == ["Skipped", "Added"]


def test_what_held_out_images_say_stands_beside_what_an_averager_and_noise_would() -> None:
    line = [(0, 0.25), (10, 0.5)]
    series = {
        "additivity_ratio": line,
        "r2_adding": [(0, -1e6), (10, 0.5)],
        "r2_averaging": line,
        "conv1_tv_ratio": line,
    }
    groups = curve_groups({**series, "firing_units": line, "held_out_pull": line, "held_out_loss": line})
    assert {group.title: list(group.series) for group in groups} == {
        "Pull and push": ["pull, held out"],
        "Loss": ["loss, held out"],
        "Additivity ratio": ["additivity ratio"],
        "R², held out": ["R² of adding", "R² of averaging"],
        "TV ratio of the first filters": ["TV ratio of the first filters"],
        "Active units": ["active units"],
    }
    by_title = {group.title: group for group in groups}
    assert by_title["Additivity ratio"].levels == {"adds": 1.0, "averages": 0.25}
    assert "-1.0e6" not in curve_chart(by_title["R², held out"])  # drawn at the lower end


@pytest.mark.parametrize(
    ("config", "cost"),
    [
        ({"margin": 10.0, "units": 256}, 10.0),
        ({"margin": 10.0, "units": 256, "hinge": "unit"}, 2560.0),
        ({"margin": 0, "units": 256}, 0.0),
        ({}, None),
    ],
)
def test_a_network_that_counts_nothing_costs_the_margin(config: dict[str, object], cost: float | None) -> None:
    assert collapsed_cost(config) == cost


def test_first_steps_that_dwarf_the_rest_are_left_out_and_the_title_says_so() -> None:
    line = [(1, 40.0), *((step, 10.0) for step in range(2, 201))]
    (group,) = curve_groups({"loss": line})
    assert group.title == "Loss, from step 4"
    assert group.series["loss"][0] == (4, 10.0)
    (short,) = curve_groups({"loss": line[:50]})
    assert short.series["loss"] == line[:50]


def test_a_form_is_the_spec_of_what_was_filled_in() -> None:
    spec = train_spec({"gallery": "birds", "recipe": "paper", "config.flip": "yes", "config.lr": "1e-3", "seed": ""})
    assert spec["config"] == {"flip": True, "lr": 0.001}
    assert (spec["gallery"], spec["recipe"], spec["seed"]) == ("birds", "paper", 0)
    with pytest.raises(BadQuery, match="expected a whole number"):
        train_spec({"config.steps": "1.5"})
