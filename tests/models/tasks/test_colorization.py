"""Colorization: pixels that cells are asked for, rare colours weigh more, and the prior is that of the photos."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.card import write_card
from models.checkpoints import storage as checkpoints
from models.encoders.receptive_field import fields
from models.preprocessing import lab, normalise
from models.recipes import build_config
from models.recipes.colorization import ColorizationConfig
from models.seeds import generator
from models.tasks import maps
from models.tasks.base import Epoch
from models.tasks.colorization import Colorization
from models.tasks.lab_colours import rebalancing, smoothed, to_rgb
from models.tasks.scoring import held_out
from models.training.batches import ResidentRegions

TINY: dict[str, Any] = {"crop": 33, "region": 40, "hidden": 8, "flip": False}


def new_task(**changes: Any) -> Colorization:
    config = build_config("colorization", "small", {**TINY, **changes})
    assert isinstance(config, ColorizationConfig)
    return Colorization.build(config, generator(0))


def of_one_colour(colours: list[list[float]], side: int = 40) -> Tensor:
    """Photos (N, 3, side, side) uint8, each in one colour of Lab."""
    flat = torch.tensor(colours).view(-1, 3, 1, 1).expand(-1, 3, side, side)
    return (to_rgb(flat) * 255).round().byte()


def epoch(task: Colorization, pixels: Tensor, number: int = 0) -> Epoch:
    regions = ResidentRegions(pixels, torch.full((len(pixels),), pixels.shape[-1]))
    return Epoch(number, regions, torch.optim.SGD(task.parameters(), lr=0.1), generator(0))


ORANGE, BLUE, GRAY = [60.0, 30.0, 40.0], [50.0, 0.0, -30.0], [50.0, 0.0, 0.0]


def test_a_cell_is_asked_for_the_pixel_in_its_centre() -> None:
    """180 px end in 12 x 12 cells, 16 pixels apart, and the first looks at pixel 0."""
    task = new_task()
    field = fields(task.encoder, ["pool5"])["pool5"]
    assert (field.stride, field.offset) == (maps.STRIDE, 0.5)
    with torch.no_grad():
        assert task(torch.zeros(1, 1, 180, 180)).shape == (1, 261, 12, 12)
        assert task(torch.zeros(1, 1, 113, 113)).shape == (1, 261, 8, 8)
    ramp = torch.arange(33.0).expand(1, 1, 33, 33)
    assert maps.cells(ramp)[0, 0, 0].tolist() == [0, 16, 32]
    torch.testing.assert_close(maps.drawn_large(maps.cells(ramp), 33), ramp)


def test_views_are_what_a_scan_shows_the_network() -> None:
    task = new_task()
    images = torch.randint(0, 256, (2, 3, 33, 33), generator=generator(1), dtype=torch.uint8)
    views = task.views(images, generator(2))
    torch.testing.assert_close(views.inputs, normalise(images.float() / 255, task.preprocess()))
    assert views.target is not None
    torch.testing.assert_close(views.target, lab(images.float() / 255)[:, 1:])


def test_the_prior_is_counted_before_the_first_epoch_and_only_then() -> None:
    """Three orange photos and a blue one; a gray one does not count."""
    task = new_task()
    task.on_epoch_start(epoch(task, of_one_colour([ORANGE, ORANGE, ORANGE, BLUE, GRAY])))
    found = {tuple(task.centres[place].tolist()): float(task.head.running_shares[place]) for place in range(261)}
    assert found[(30.0, 40.0)] == pytest.approx(0.75) and found[(0.0, -30.0)] == pytest.approx(0.25)
    assert task.facts()["ab_bins_seen"] == 2 and task.facts()["ab_bins"] == 261
    assert task.facts()["ab_bins_of_the_paper"] == 313
    task.on_epoch_start(epoch(task, of_one_colour([BLUE]), number=1))
    assert float(task.head.running_shares.max()) == pytest.approx(0.75)


def test_weights_are_one_on_average_over_the_prior_and_larger_for_rare_colours() -> None:
    task = new_task()
    task.on_epoch_start(epoch(task, of_one_colour([ORANGE, ORANGE, ORANGE, BLUE])))
    prior = smoothed(task.head.running_shares.double(), task.centres.double())
    assert float((prior * task.weights).sum()) == pytest.approx(1, abs=1e-6)
    orange, blue = (int(torch.cdist(torch.tensor([[*ab]]), task.centres).argmin()) for ab in (ORANGE[1:], BLUE[1:]))
    assert task.weights[blue] > 2 * task.weights[orange]
    assert new_task(uniform=1.0).weights.tolist() == pytest.approx([1.0] * 261)


def test_the_loss_is_that_of_a_loop_over_pixels() -> None:
    """A soft code of five bins, exp(-d^2 / 50), times the weight of the nearest one."""
    task = new_task()
    task.on_epoch_start(epoch(task, of_one_colour([ORANGE, ORANGE, BLUE])))
    images = torch.randint(0, 256, (2, 3, 33, 33), generator=generator(1), dtype=torch.uint8)
    target = task.views(images, generator(2)).target
    assert target is not None
    outputs = torch.randn(2, 261, 3, 3, generator=generator(3))
    centres = task.centres.numpy().astype(float)
    weights = rebalancing(smoothed(task.head.running_shares.double(), task.centres.double())).numpy()
    costs = []
    for image in range(2):
        for y in range(3):
            for x in range(3):
                squared = ((target[image, :, 16 * y, 16 * x].numpy() - centres) ** 2).sum(axis=1)
                near = squared.argsort()[:5]
                code = np.exp(-squared[near] / 50) / np.exp(-squared[near] / 50).sum()
                told = outputs[image, :, y, x].double().log_softmax(0).numpy()
                costs.append(-weights[near[0]] * (code * told[near]).sum())
    assert float(task.loss(outputs, target)["cross_entropy"]) == pytest.approx(np.mean(costs), rel=1e-4)


def test_it_begins_at_the_loss_of_guessing_261_classes() -> None:
    task = new_task()
    images = torch.randint(0, 256, (4, 3, 33, 33), generator=generator(1), dtype=torch.uint8)
    views = task.views(images, generator(2))
    with torch.no_grad():
        first = float(task.loss(task(views.inputs), views.target)["cross_entropy"])
    assert first == pytest.approx(math.log(261), rel=0.02) == task.chance()["loss"]


def test_a_gray_photo_teaches_nothing_and_is_not_measured() -> None:
    task = new_task()
    target = task.views(of_one_colour([ORANGE, GRAY], 33), generator(0)).target
    assert target is not None
    outputs = torch.randn(2, 261, 3, 3, generator=generator(1)).requires_grad_()
    task.loss(outputs, target)["cross_entropy"].backward()
    assert outputs.grad is not None
    assert outputs.grad[0].abs().sum() > 0 and outputs.grad[1].abs().sum() == 0
    measured = task.measure(outputs.detach(), target)
    assert all(torch.isnan(of).tolist() == [False, True] for of in measured.values())


def test_no_answer_that_is_the_same_everywhere_beats_the_prior() -> None:
    """Under the weighted loss the best constant is E[w code]; steps away from it cost more on the pixels it is of."""
    task = new_task()
    ab = lab(of_one_colour([ORANGE, ORANGE, ORANGE, BLUE], 1).float() / 255)[:, 1:, 0, 0]
    task.count(ab.repeat(5000, 1))
    guess = task.head.running_guess.log()
    best = float(task.costs(guess, ab).mean())
    assert best == pytest.approx(task.chance()["loss"], rel=2e-3)
    assert best < math.log(261) and torch.isfinite(guess).all()
    for seed in range(5):
        other = guess + 0.1 * torch.randn(261, generator=generator(seed))
        assert float(task.costs(other, ab).mean()) > best


def test_predicted_colours_are_stronger_with_rebalancing() -> None:
    """Mostly gray photos of noise with a little orange: the network can only learn what is common."""
    weak, strong = ([7.0, 0.0], [30.0, 40.0])
    ab = torch.tensor([weak] * 9 + [strong])
    found = {}
    for uniform in (0.5, 1.0):
        task = new_task(uniform=uniform)
        task.count(ab)
        logits = torch.zeros(261, requires_grad=True)
        optimiser = torch.optim.Adam([logits], lr=0.3)
        for _ in range(80):
            optimiser.zero_grad()
            task.costs(logits, ab).mean().backward()
            optimiser.step()
        target = torch.tensor(strong).view(1, 2, 1, 1).expand(1, 2, 33, 33)
        outputs = logits.detach().view(1, -1, 1, 1).expand(1, -1, 3, 3)
        found[uniform] = float(task.measure(outputs, target)["saturation"])
    assert found[0.5] > 1.5 * found[1.0]


def test_the_prior_is_kept_with_the_weights(tmp_path: Path) -> None:
    """A loaded task scores as the saved one, and so does an untrained copy that adopts its prior."""
    task = new_task().eval()
    task.on_epoch_start(epoch(task, of_one_colour([ORANGE, ORANGE, BLUE])))
    config: dict[str, object] = {**task.config.__dict__}
    sha256 = checkpoints.save_weights(tmp_path, task.encoder, task.head)
    card = checkpoints.describe(task, name="colours", recipe="small", config=config)
    write_card(tmp_path, card.__class__(**{**card.__dict__, "weights_sha256": sha256}))
    loaded, fresh = checkpoints.load_task(tmp_path), new_task()
    assert isinstance(loaded, Colorization)
    assert torch.equal(loaded.head.running_shares, task.head.running_shares)
    assert torch.equal(loaded.head.running_guess, task.head.running_guess)
    fresh.adopt(loaded)
    assert fresh.chance() == task.chance() != new_task().chance()
    regions = list(torch.randint(0, 256, (3, 3, 40, 40), generator=generator(4), dtype=torch.uint8))
    one, other = (held_out(which, regions, None, 0) for which in (task, loaded))
    assert one["loss_of_prior"].tolist() == other["loss_of_prior"].tolist()
    assert one["loss"] == pytest.approx(other["loss"], rel=1e-3)


def test_the_answer_shows_the_photo_in_other_colours_of_the_same_lightness() -> None:
    task = new_task().eval()
    views = task.views(of_one_colour([ORANGE], 33), generator(0))
    outputs = torch.full((1, 261, 3, 3), -50.0)
    outputs[0, int(torch.cdist(torch.tensor([[0.0, -30.0]]), task.centres).argmin())] = 50
    answer = task.answer(outputs, views, 0)
    painted = torch.from_numpy(answer.drawn[0].pixels.copy()).permute(2, 0, 1)[None].float() / 255
    found = lab(painted)[0, :, 16, 16].tolist()
    assert found == pytest.approx([60, 0, -30], abs=1)
    assert "without any it would be 50" in answer.words  # |(30, 40)|


def test_a_colour_that_no_training_photo_has_costs_much_and_not_everything() -> None:
    task = new_task()
    task.on_epoch_start(epoch(task, of_one_colour([ORANGE, ORANGE])))
    blue = lab(of_one_colour([BLUE]).float() / 255)[:, 1:, 0, 0]
    cost = task.costs(task.head.running_guess.log(), blue)
    assert torch.isfinite(cost).all() and float(cost) > 5
