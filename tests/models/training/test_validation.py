"""Validation while a network trains: what is measured on held-out images, how often, and what is kept."""

import math
from pathlib import Path

import pytest
import torch

from models.checkpoints import storage as checkpoints
from models.counting.training_views import MEASURES, VIEWS, whole_over_tiles
from models.crops import centre
from models.recipes import build_config
from models.seeds import generator
from models.tasks import TASKS
from models.tasks.base import Task
from models.tasks.validation import HeldOut
from models.training.validation import LEAST_POINTS, MOST_POINTS, Validator
from models.training.validation_log import (
    ValidationLog,
    ValidationPoint,
    picture_path,
    read_validation_log,
    write_validation_log,
)
from tests.models.training.test_training import TINY


def validator(folder: Path, task: Task | None = None) -> Validator:
    """Six held-out images, the fourth with most contrast, of rows 10 to 15."""
    config = build_config("counting", "small", TINY)
    task = task or TASKS["counting"].build(config, generator(3, 0))
    images = [torch.randint(100, 150, (3, 96, 96), generator=generator(i), dtype=torch.uint8) for i in range(6)]
    images[3] = torch.randint(0, 256, (3, 96, 96), generator=generator(9), dtype=torch.uint8)
    card = checkpoints.describe(task, name="training", recipe=None, config={})
    return Validator(task, card, HeldOut(images), range(10, 16), folder)


def test_validating_measures_all_that_the_page_shows_and_changes_no_weight(tmp_path: Path) -> None:
    subject = validator(tmp_path)
    before = [value.clone() for value in subject.task.state_dict().values()]
    numbers = torch.get_rng_state()
    measures = subject.validate(0)
    assert set(measures) == set(MEASURES)
    assert measures["held_out_loss"] == pytest.approx(measures["held_out_pull"] + measures["held_out_push"])
    assert all(torch.equal(one, two) for one, two in zip(before, subject.task.state_dict().values(), strict=True))
    assert torch.equal(numbers, torch.get_rng_state())
    assert subject.task.training


def test_the_five_totals_are_those_of_the_pictures(tmp_path: Path) -> None:
    """The picture's pixels, normalised as the crop is, give the same totals when the network counts them again."""
    subject = validator(tmp_path)
    subject.validate(0)
    kept = read_validation_log(tmp_path)
    assert kept is not None
    assert (kept.row, kept.images, kept.points[0].step) == (13, 6, 0)
    pixels = centre(subject.images.regions[subject.fixed], 80).float() / 255
    views = torch.stack([_picture(tmp_path, name) for name in VIEWS])
    normal = (views - pixels.mean()) / pixels.std(correction=0)
    with torch.no_grad():
        recounted = subject.task.head(subject.task.encoder(normal)).sum(dim=1)
    assert kept.points[0].totals == pytest.approx([float(total) for total in recounted], rel=0.02)
    totals = kept.points[0].totals
    assert whole_over_tiles(totals) == pytest.approx(totals[0] / sum(totals[1:]))


def _picture(folder: Path, name: str) -> torch.Tensor:
    from torchvision.io import read_image

    return read_image(str(picture_path(folder, name))).float() / 255


def test_of_many_images_those_that_are_measured_are_spread_over_all(tmp_path: Path) -> None:
    task = validator(tmp_path).task
    card = checkpoints.describe(task, name="training", recipe=None, config={})
    images = [torch.full((3, 96, 96), i, dtype=torch.uint8) for i in range(200)]
    images[198][:, ::2] = 255
    many = Validator(task, card, HeldOut(images), range(1000, 1200), tmp_path)
    assert [int(image[0, 1, 0]) for image in many.images.regions] == list(range(0, 200, 2))
    assert many.log.row == 1198


def test_a_network_that_counts_nothing_costs_the_margin_and_has_no_ratio(tmp_path: Path) -> None:
    subject = validator(tmp_path)
    with torch.no_grad():
        subject.task.head.get_parameter("counts.weight").zero_()
    measures = subject.validate(5)
    assert (measures["held_out_loss"], measures["held_out_pull"], measures["held_out_push"]) == (10.0, 0.0, 10.0)
    assert "additivity_ratio" not in measures and measures["firing_units"] == 0
    assert whole_over_tiles((0.0,) * 5) is None


def test_a_run_is_validated_at_its_start_at_its_end_and_every_tenth_in_between(tmp_path: Path) -> None:
    subject = validator(tmp_path)
    subject.spent = math.inf  # validating is expensive
    due = []
    for step in range(101):
        if subject.due(step, 100):
            due.append(step)
            subject.log = ValidationLog(13, 6, (*subject.log.points, ValidationPoint(step, {}, (0.0,) * 5)))
    assert due == list(range(0, 101, 100 // LEAST_POINTS))
    assert not subject.due(100, 100)  # a resumed run that was at its end


def test_where_validating_costs_little_it_is_done_forty_times(tmp_path: Path) -> None:
    subject = validator(tmp_path)
    times = 0
    for step in range(2001):
        if subject.due(step, 2000):
            times += 1
            subject.log = ValidationLog(13, 6, (*subject.log.points, ValidationPoint(step, {}, (0.0,) * 5)))
    assert times == MOST_POINTS + 1


def test_a_log_that_was_kept_is_continued(tmp_path: Path) -> None:
    validator(tmp_path).validate(0)
    again = validator(tmp_path)
    again.validate(10)
    kept = read_validation_log(tmp_path)
    assert kept is not None
    assert [point.step for point in kept.points] == [0, 10]
    assert [step for step, _ in kept.curve("held_out_loss")] == [0, 10]


def test_what_is_no_validation_log_reads_as_none(tmp_path: Path) -> None:
    assert read_validation_log(tmp_path) is None
    write_validation_log(tmp_path, ValidationLog(1, 2))
    assert read_validation_log(tmp_path) == ValidationLog(1, 2)
    (tmp_path / "looks.json").write_text('{"row": 1}')
    assert read_validation_log(tmp_path) is None
