"""Inpainting: what the network sees, what an error counts, and a discriminator that trains beside it."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.recipes import build_config
from models.recipes.base import BadConfig
from models.recipes.inpainting import InpaintingConfig
from models.seeds import generator
from models.tasks.inpainting import ChannelWise, Inpainting, border, middle, overlap_weights
from models.training.batches import Batches, ResidentRegions
from models.training.loop import FitConfig, fit, saved_state

TINY = {
    "crop": 64,
    "region": 72,
    "ups": 2,
    "decoder": 4,
    "discriminator": 4,
    "flip": False,
}  # 16 px filled, a hole of 8


def new_task(**overrides: object) -> Inpainting:
    config = build_config("inpainting", "small", {**TINY, **overrides})
    assert isinstance(config, InpaintingConfig)
    return Inpainting.build(config, generator(3, 0))


def images(count: int = 4) -> Tensor:
    return torch.randint(0, 256, (count, 3, 64, 64), generator=generator(7), dtype=torch.uint8)


def test_the_encoder_sees_all_around_the_hole_and_nothing_in_it() -> None:
    task, one = new_task(), images()
    other = one.clone()
    middle(other, 8).copy_(255 - middle(other, 8))
    shown, same = (task.views(pixels, generator(1)) for pixels in (one, other))
    assert torch.equal(shown.inputs, same.inputs)
    assert shown.target is not None and same.target is not None
    assert not torch.equal(shown.target, same.target)
    changed = shown.inputs != one / 127.5 - 1
    assert not changed[..., :28, :].any() and not changed[..., 36:, :].any()
    assert not changed[..., :28].any() and not changed[..., 36:].any()
    hole = shown.inputs[:, :, 28:36, 28:36]
    assert hole[0, :, 0, 0].tolist() == pytest.approx([2 * mean - 1 for mean in (0.485, 0.456, 0.406)])
    assert torch.equal(hole, hole[:1, :, :1, :1].expand_as(hole))


def test_the_overlap_is_what_the_network_sees_of_its_target() -> None:
    task, pixels = new_task(), images()
    views = task.views(pixels, generator(1))
    assert views.target is not None
    seen = middle(views.inputs, 16) == views.target
    assert torch.equal(seen.all(dim=(0, 1)), overlap_weights(16, 4, 10.0) == 10)


def test_an_error_in_the_overlap_counts_ten_times() -> None:
    weights = overlap_weights(6, 1, 10.0)
    assert weights.sum() == 20 * 10 + 16
    assert weights[0].tolist() == [10.0] * 6
    assert weights[1].tolist() == [10.0, 1.0, 1.0, 1.0, 1.0, 10.0]
    assert int((overlap_weights(64, 4, 10.0) == 10).sum()) == 64 * 64 - 56 * 56
    task, zeros = new_task(), torch.zeros(1, 3, 16, 16)
    costs = []
    for place in (3, 4):  # the last row of the overlap, the first of the hole
        told = zeros.clone()
        told[0, 0, place, 8] = 0.5
        costs.append(float(task.loss(told, zeros)["reconstruction"]))
    assert costs == pytest.approx([0.999 * 10 * 0.25 / 768, 0.999 * 0.25 / 768])


def test_a_channel_reaches_its_own_places_and_no_other_channel() -> None:
    layer = ChannelWise(3, 2)
    layer.draw(generator(0))
    maps = torch.randn(2, 3, 2, 2, generator=generator(1))
    changed = maps.clone()
    changed[0, 1, 0, 0] += 1
    with torch.no_grad():
        before, after = layer(maps), layer(changed)
    moved = before != after
    assert moved[0, 1].all()
    assert int(moved.sum()) == 4
    assert (after - before)[0, 1].flatten().tolist() == pytest.approx(layer.weight[1, 0].tolist(), abs=1e-5)
    inputs, weights = maps[1, 2].flatten().tolist(), layer.weight[2].tolist()
    naive = [sum(inputs[i] * weights[i][j] for i in range(4)) for j in range(4)]
    assert before[1, 2].flatten().tolist() == pytest.approx(naive, abs=1e-5)


def test_the_papers_layer_has_a_weight_for_every_pair_of_places_in_a_channel() -> None:
    config = InpaintingConfig()
    assert (config.cells, config.filled, config.hole) == (6, 96, 88)
    layer = ChannelWise(config.channels[-1], config.cells)
    assert layer.weight.numel() == 256 * 6**4 == 331_776
    assert layer.bias.numel() == 256 * 6**2


def test_a_perfect_answer_gains_all_the_error_of_the_borders_colour() -> None:
    task, target = new_task(), torch.full((2, 3, 16, 16), -0.5)
    middle(target, 8).fill_(0.5)  # half of the range away from its border
    assert border(target, 4).flatten().tolist() == [-0.5] * 6
    found = task.measure(target, target)
    assert found["hole_error"].tolist() == [0, 0]
    assert found["hole_error_of_border"].tolist() == found["gain_over_border"].tolist() == [0.25, 0.25]
    assert found["psnr_of_border"].tolist() == pytest.approx([6.0206] * 2, abs=1e-3)
    plain = task.measure(border(target, 4).expand_as(target), target)
    assert plain["gain_over_border"].tolist() == [0, 0]
    spoiled = target.clone()
    spoiled[..., :4, :] = 1.0  # the overlap is visible: no error there is measured
    assert task.measure(spoiled, target)["gain_over_border"].tolist() == [0.25, 0.25]


def test_each_side_of_the_contest_moves_its_own_weights_alone() -> None:
    task = new_task()
    views = task.views(images(), generator(1))
    before = [value.clone() for value in task.discriminator.parameters()]
    own = [value.clone() for value in (*task.encoder.parameters(), *task.head.parameters())]
    task.training_step(views, task(views.inputs))
    assert all(not torch.equal(one, two) for one, two in zip(before, task.discriminator.parameters(), strict=True))
    assert all(value.grad is None and value.requires_grad for value in task.discriminator.parameters())
    kept = [*task.encoder.parameters(), *task.head.parameters()]
    assert all(torch.equal(one, two) for one, two in zip(own, kept, strict=True))
    assert all(value.grad is not None for value in kept)


def run(folder: Path, *, stop_at: int | None = None) -> Inpainting:
    folder.mkdir(exist_ok=True)
    task = new_task(adversarial=0.5)
    pixels = torch.randint(0, 256, (10, 3, 72, 72), generator=generator(9), dtype=torch.uint8)
    batches = Batches(ResidentRegions(pixels, torch.full((10,), 72)), crop=64, batch_size=4, seed=3)
    how = FitConfig(steps=4, lr=1e-3, seed=3, report_seconds=0.0)
    for progress in (iterator := fit(task, batches, how, folder)):
        if progress.step == stop_at:
            iterator.close()
    return task


def test_an_interrupted_contest_ends_in_the_weights_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    run(tmp_path / "parts", stop_at=2)
    state = saved_state(tmp_path / "parts")
    assert state is not None and state["step"] == 2
    ended = run(tmp_path / "parts")
    states = [saved_state(tmp_path / name) for name in ("whole", "parts")]
    for one, two in zip(whole.state_dict().items(), ended.state_dict().items(), strict=True):
        assert torch.equal(one[1], two[1]), one[0]
    moments = [state["own_optimisers"]["discriminator"]["state"] for state in states if state]  # type: ignore[index]
    assert len(moments[0]) == len(list(whole.discriminator.parameters()))
    for place, kept in moments[0].items():
        assert int(kept["step"]) == 4
        assert all(torch.equal(value, moments[1][place][name]) for name, value in kept.items())


def test_the_loops_optimiser_leaves_the_discriminator_alone(tmp_path: Path) -> None:
    task = run(tmp_path)
    state = saved_state(tmp_path)
    assert state is not None
    groups = state["optimiser"]["param_groups"]  # type: ignore[index]
    count = len(list(task.encoder.parameters())) + len(list(task.head.parameters()))
    assert sum(len(group["params"]) for group in groups) == count


def test_holes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BadConfig, match="fill 128 px, got a crop of 128"):
        build_config("inpainting", "small", {"ups": 4})
    with pytest.raises(BadConfig, match="at least 16"):
        build_config("inpainting", "small", {"crop": 64, "ups": 1})
    with pytest.raises(BadConfig, match="no hole"):
        build_config("inpainting", "small", {"overlap": 32})
