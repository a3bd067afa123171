"""Looks at held-out images: what is measured while a network trains, how often, and what is kept."""

import math
from pathlib import Path

import pytest
import torch

from models.checkpoints import storage as checkpoints
from models.recipes import build_config
from models.seeds import generator
from models.tasks import TASKS
from models.tasks.base import Task
from models.training.looking import FEWEST, LOOKS, Watch
from models.training.looks import MEASURES, VIEWS, Look, Looks, picture_path, read_looks, write_looks
from tests.models.training.test_training import TINY


def watch(folder: Path, task: Task | None = None) -> Watch:
    """Six held-out images, the fourth with most contrast, of rows 10 to 15."""
    config = build_config("counting", "small", TINY)
    task = task or TASKS["counting"].build(config, generator(3, 0))
    images = [torch.randint(100, 150, (3, 96, 96), generator=generator(i), dtype=torch.uint8) for i in range(6)]
    images[3] = torch.randint(0, 256, (3, 96, 96), generator=generator(9), dtype=torch.uint8)
    card = checkpoints.describe(task, name="training", recipe=None, config={})
    return Watch(task, card, images, range(10, 16), folder)


def test_a_look_measures_all_that_the_page_shows_and_changes_no_weight(tmp_path: Path) -> None:
    seen = watch(tmp_path)
    before = [value.clone() for value in seen.task.state_dict().values()]
    numbers = torch.get_rng_state()
    measures = seen.look(0)
    assert set(measures) == set(MEASURES)
    assert measures["held_out_loss"] == pytest.approx(measures["held_out_pull"] + measures["held_out_push"])
    assert all(torch.equal(one, two) for one, two in zip(before, seen.task.state_dict().values(), strict=True))
    assert torch.equal(numbers, torch.get_rng_state())
    assert seen.task.training


def test_the_five_totals_are_those_of_the_pictures(tmp_path: Path) -> None:
    """The picture's pixels, normalised as the crop is, give the same totals when the network counts them again."""
    seen = watch(tmp_path)
    seen.look(0)
    kept = read_looks(tmp_path)
    assert kept is not None
    assert (kept.row, kept.images, kept.looks[0].step) == (13, 6, 0)
    pixels = seen.crop.float() / 255
    views = torch.stack([_picture(tmp_path, name) for name in VIEWS])
    normal = (views - pixels.mean()) / pixels.std(correction=0)
    with torch.no_grad():
        totals = seen.task.head(seen.task.encoder(normal)).sum(dim=1)
    assert kept.looks[0].totals == pytest.approx([float(total) for total in totals], rel=0.02)
    assert kept.looks[0].ratio == pytest.approx(kept.looks[0].whole / sum(kept.looks[0].totals[1:]))


def _picture(folder: Path, name: str) -> torch.Tensor:
    from torchvision.io import read_image

    return read_image(str(picture_path(folder, name))).float() / 255


def test_of_many_images_those_looked_at_are_spread_over_all(tmp_path: Path) -> None:
    task = watch(tmp_path).task
    card = checkpoints.describe(task, name="training", recipe=None, config={})
    images = [torch.full((3, 96, 96), i, dtype=torch.uint8) for i in range(200)]
    images[198][:, ::2] = 255
    many = Watch(task, card, images, range(1000, 1200), tmp_path)
    assert [int(image[0, 1, 0]) for image in many.images] == list(range(0, 200, 2))
    assert many.seen.row == 1198


def test_a_network_that_counts_nothing_costs_the_margin_and_has_no_ratio(tmp_path: Path) -> None:
    seen = watch(tmp_path)
    with torch.no_grad():
        seen.task.head.get_parameter("counts.weight").zero_()
    measures = seen.look(5)
    assert (measures["held_out_loss"], measures["held_out_pull"], measures["held_out_push"]) == (10.0, 0.0, 10.0)
    assert "additivity_ratio" not in measures and measures["firing_units"] == 0
    assert Look(5, measures, (0.0,) * 5).ratio is None


def test_a_run_looks_at_its_start_at_its_end_and_every_tenth_in_between(tmp_path: Path) -> None:
    seen = watch(tmp_path)
    seen.spent = math.inf  # looks are dear
    looked = []
    for step in range(101):
        if seen.due(step, 100):
            looked.append(step)
            seen.seen = Looks(13, 6, (*seen.seen.looks, Look(step, {}, (0.0,) * 5)))
    assert looked == list(range(0, 101, 100 // FEWEST))
    assert not seen.due(100, 100)  # a resumed run that was at its end


def test_where_looks_cost_little_there_are_forty(tmp_path: Path) -> None:
    seen = watch(tmp_path)
    looked = 0
    for step in range(2001):
        if seen.due(step, 2000):
            looked += 1
            seen.seen = Looks(13, 6, (*seen.seen.looks, Look(step, {}, (0.0,) * 5)))
    assert looked == LOOKS + 1


def test_looks_that_were_kept_are_gone_on_with(tmp_path: Path) -> None:
    watch(tmp_path).look(0)
    again = watch(tmp_path)
    again.look(10)
    kept = read_looks(tmp_path)
    assert kept is not None
    assert [look.step for look in kept.looks] == [0, 10]
    assert [step for step, _ in kept.curves["held_out_loss"]] == [0, 10]


def test_what_is_no_file_of_looks_reads_as_none(tmp_path: Path) -> None:
    assert read_looks(tmp_path) is None
    write_looks(tmp_path, Looks(1, 2))
    assert read_looks(tmp_path) == Looks(1, 2)
    (tmp_path / "looks.json").write_text('{"row": 1}')
    assert read_looks(tmp_path) is None
