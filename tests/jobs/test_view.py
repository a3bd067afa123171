"""A job as it is looked at: what shares an axis, and what the form of a training says."""

import pytest

from app.failures import BadQuery
from app.services.curve_groups import curve_groups
from app.services.train_form import train_spec


def test_a_loss_and_its_terms_share_an_axis_and_the_learning_rate_has_its_own() -> None:
    groups = curve_groups({"loss": [(1, 2.0)], "others_differ": [(1, 1.0)], "lr": [(1, 0.1)]})
    assert [(group.title, list(group.series)) for group in groups] == [
        ("Loss and its terms", ["loss", "others differ"]),
        ("Learning rate", ["learning rate"]),
    ]
    assert [group.title for group in curve_groups({"skipped": [(1, 2.0)], "added": [(1, 1.0)]})] == ["Skipped", "Added"]


def test_first_steps_that_dwarf_the_rest_are_left_out_and_the_title_says_so() -> None:
    line = [(1, 40.0), *((step, 10.0) for step in range(2, 201))]
    (group,) = curve_groups({"loss": line})
    assert group.title == "Loss and its terms, from step 4"
    assert group.series["loss"][0] == (4, 10.0)
    (short,) = curve_groups({"loss": line[:50]})
    assert short.series["loss"] == line[:50]


def test_a_form_is_the_spec_of_what_was_filled_in() -> None:
    spec = train_spec({"gallery": "birds", "recipe": "paper", "config.flip": "yes", "config.lr": "1e-3", "seed": ""})
    assert spec["config"] == {"flip": True, "lr": 0.001}
    assert (spec["gallery"], spec["recipe"], spec["seed"]) == ("birds", "paper", 0)
    with pytest.raises(BadQuery, match="expected a whole number"):
        train_spec({"config.steps": "1.5"})
