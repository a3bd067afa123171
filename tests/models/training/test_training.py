"""Training goes on from its own state, draws what (seed, step) says, and learns."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models.cores import usable_cores
from models.crops import region
from models.recipes import build_config
from models.recipes.base import BadConfig
from models.seeds import generator
from models.tasks import TASKS
from models.tasks.base import Task
from models.training.batches import Batches, ResidentRegions
from models.training.loop import STATE, Diverged, FitConfig, fit, saved_state

TINY = {"crop": 80, "region": 96, "stride": 4, "hidden": 16, "units": 8, "batch_size": 4, "conv1_std": 0.0}


def regions(count: int = 10) -> ResidentRegions:
    pixels = torch.randint(0, 256, (count, 3, 96, 96), generator=generator(7), dtype=torch.uint8)
    return ResidentRegions(pixels, torch.full((count,), 96))


def batches() -> Batches:
    return Batches(regions(), crop=80, batch_size=4, seed=3)


def new_task() -> Task:
    return TASKS["counting"].build(build_config("counting", "small", TINY), generator(3, 0))


def run(task: Task, folder: Path, *, steps: int, stop_at: int | None = None) -> None:
    how = FitConfig(steps=steps, lr=1e-4, seed=3, report_seconds=0.0)
    for progress in (iterator := fit(task, batches(), how, folder)):
        if progress.step == stop_at:
            iterator.close()


def weights(task: Task) -> list[Tensor]:
    return [value.clone() for value in task.state_dict().values()]


def test_an_interrupted_run_ends_in_the_weights_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, first, second = new_task(), new_task(), new_task()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    run(whole, tmp_path / "a", steps=6)
    run(first, tmp_path / "b", steps=6, stop_at=2)
    state = saved_state(tmp_path / "b")
    assert state is not None
    assert state["step"] == 2
    run(second, tmp_path / "b", steps=6)
    assert all(torch.equal(one, two) for one, two in zip(weights(whole), weights(second), strict=True))
    assert not torch.equal(weights(first)[0], weights(second)[0])
    assert not list((tmp_path / "b").glob(".*.tmp"))


def test_a_run_goes_on_with_no_more_threads_than_there_are_cores(tmp_path: Path) -> None:
    run(new_task(), tmp_path, steps=3, stop_at=2)
    state = saved_state(tmp_path)
    assert state is not None
    torch.save({**state, "threads": 999}, tmp_path / STATE)  # of a larger machine
    before = torch.get_num_threads()
    try:
        run(new_task(), tmp_path, steps=3)
        assert torch.get_num_threads() == usable_cores()
    finally:
        torch.set_num_threads(before)


def test_a_loss_that_is_no_number_stops_the_run_and_spares_the_state(tmp_path: Path) -> None:
    task = new_task()
    run(task, tmp_path, steps=2)
    broken = new_task()
    how = FitConfig(steps=5, lr=1e-4, seed=3, report_seconds=0.0)
    iterator = fit(broken, batches(), how, tmp_path)
    next(iterator)
    next(iterator)  # the state of step 3 is saved before step 4 is made
    before = (tmp_path / STATE).read_bytes()
    with torch.no_grad():
        broken.head.get_parameter("fc6.weight").fill_(float("nan"))
    with pytest.raises(Diverged):
        next(iterator)
    assert (tmp_path / STATE).read_bytes() == before


def test_the_crops_of_a_step_do_not_depend_on_what_came_before() -> None:
    one, two = batches(), batches()
    for step in range(5):
        one.draw(step)
    assert torch.equal(one.draw(5), two.draw(5))
    assert not torch.equal(two.draw(5), two.draw(6))


def test_no_batch_holds_an_image_twice_and_an_epoch_holds_each_once() -> None:
    source = Batches(regions(9), crop=80, batch_size=3, seed=1)
    epoch = [int(i) for step in range(source.steps_per_epoch) for i in source.indices(step)]
    assert sorted(epoch) == list(range(9))
    assert [int(i) for i in source.indices(3)] != epoch[:3]


def test_crops_are_native_pixels_of_their_own_image() -> None:
    source = regions(3)
    crop = source.crops(torch.tensor([2]), torch.tensor([5]), torch.tensor([11]), 80)
    assert torch.equal(crop[0], source.pixels[2, :, 5:85, 11:91])


def test_a_small_image_is_cropped_inside_what_it_really_has() -> None:
    pixels = torch.zeros(2, 3, 96, 96, dtype=torch.uint8)
    pixels[:, :, :82, :82] = 200
    source = Batches(ResidentRegions(pixels, torch.tensor([82, 82])), crop=80, batch_size=2, seed=0)
    assert all((source.draw(step) == 200).all() for step in range(20))


def test_a_region_is_never_enlarged() -> None:
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 90, 120), dtype=np.uint8))
    assert torch.equal(region(image, 96), image[:, :, 15:105])
    assert region(image, 60).shape == (3, 60, 60)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"unit": 3}, "no setting 'unit'"),
        ({"units": "3"}, "units must be int"),
        ({"units": True}, "units must be int"),
        ({"lr": 0}, "lr must lie in"),
        ({"normalise": "tile"}, "normalise must be one of crop, input"),
        ({"crop": 145}, "crop must be even"),
        ({"crop": 40, "region": 40}, "too small"),
        ({"kernels": "area,lancsoz"}, "got 'lancsoz'"),
        ({"kernels": ""}, "kernels must be some of"),
        ({"kernels": 3}, "kernels must be str"),
        ({"hinge": "units"}, "hinge must be one of vector, unit"),
    ],
)
def test_a_wrong_setting_is_named(overrides: dict[str, object], words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        build_config("counting", "small", overrides)


def test_a_start_norm_is_reached_by_scaling_conv1_alone() -> None:
    crops = batches().draw(0)
    for head_init in ("he", "uniform"):
        plain = TASKS["counting"].build(
            build_config("counting", "small", {**TINY, "head_init": head_init}), generator(3)
        )
        wanted = build_config("counting", "small", {**TINY, "start_norm": 10.0, "head_init": head_init})
        task = TASKS["counting"].build(wanted, generator(3))
        views = task.views(crops, generator(1)).inputs
        assert plain.begin(views) == {"conv1_scale": 1.0}
        found = task.begin(views)
        with torch.no_grad():
            norm = task(views)[:, 0].square().sum(dim=1).mean()
        assert float(norm) == pytest.approx(10, rel=1e-3)
        plain.begin_like(found)
        changed = [
            name for name, value in plain.state_dict().items() if not torch.equal(value, task.state_dict()[name])
        ]
        assert changed == []
        fresh = TASKS["counting"].build(wanted, generator(3)).state_dict()
        moved = [name for name, value in task.state_dict().items() if not torch.equal(value, fresh[name])]
        assert moved == ["encoder.conv1.weight"]


def test_a_start_that_no_scale_reaches_is_refused() -> None:
    task = TASKS["counting"].build(build_config("counting", "small", {**TINY, "start_norm": 5.0}), generator(3))
    with torch.no_grad():
        task.head.get_parameter("counts.weight").zero_()
    with pytest.raises(ValueError, match="no scale of conv1"):
        task.begin(task.views(batches().draw(0), generator(1)).inputs)


def test_the_heads_uniform_start_is_that_of_pytorch() -> None:
    task = TASKS["counting"].build(build_config("counting", "small", {**TINY, "head_init": "uniform"}), generator(3))
    for name, fan_in in (("fc7", 16), ("counts", 16)):
        for part in ("weight", "bias"):
            drawn = task.head.get_parameter(f"{name}.{part}").detach().abs()
            assert 0.7 * fan_in**-0.5 < float(drawn.max()) <= fan_in**-0.5


def test_a_cosine_ends_at_zero_and_is_half_way_at_half_time() -> None:
    how = FitConfig(steps=100, lr=1.0, schedule="cosine")
    assert [how.learning_rate(step) for step in (0, 50, 100)] == pytest.approx([1.0, 0.5, 0.0])


def test_a_factor_of_zero_keeps_conv1_and_an_interrupted_run_keeps_its_factors(tmp_path: Path) -> None:
    ends = []
    for stops in ((), (2,)):
        folder = tmp_path / str(len(stops))
        folder.mkdir()
        task = new_task()
        before = weights(task)
        how = FitConfig(
            steps=5, lr=1e-3, schedule="cosine", factors={"encoder.conv1.": 0.0}, seed=3, report_seconds=0.0
        )
        for progress in (iterator := fit(task, batches(), how, folder)):
            if progress.step in stops:
                iterator.close()
        if stops:
            task = new_task()
            list(fit(task, batches(), how, folder))
        ends.append(weights(task))
        assert torch.equal(before[0], ends[-1][0])
        assert not torch.equal(before[2], ends[-1][2])
    assert all(torch.equal(one, two) for one, two in zip(*ends, strict=True))
