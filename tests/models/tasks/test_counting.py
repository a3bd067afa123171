"""Counting: the loss, the geometry, the coins and the network are the paper's (checks C1-C12)."""

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.counting.equation import stack, tiles
from models.encoders.alexnet import AlexNet
from models.recipes import build_config
from models.recipes.counting import KERNELS, CountingConfig
from models.resampling import SMALLEST_STD, halve, standardise, taps
from models.seeds import generator
from models.tasks.counting import Counting, gray
from models.tasks.heads import CountingHead
from models.training.loop import FitConfig

TINY = {"crop": 80, "region": 96, "stride": 4, "hidden": 16, "units": 8, "batch_size": 4, "steps": 4}


@pytest.fixture(scope="module")
def task() -> Counting:
    return Counting.build(build_config("counting", "small", TINY), generator(0))


def photos(count: int, side: int = 80, seed: int = 1) -> Tensor:
    return torch.randint(0, 256, (count, 3, side, side), generator=generator(seed), dtype=torch.uint8)


def naive_loss(counts: Tensor, margin: float) -> float:
    """Equation 4, image by image and coordinate by coordinate."""
    total = 0.0
    for i in range(len(counts)):
        y = (i - 1) % len(counts)
        s = [sum(float(counts[i, j, k]) for j in range(1, 5)) for k in range(counts.shape[2])]
        pull = sum((float(counts[i, 0, k]) - s[k]) ** 2 for k in range(len(s)))
        push = sum((float(counts[y, 0, k]) - s[k]) ** 2 for k in range(len(s)))
        total += pull + max(0.0, margin - push)
    return total / len(counts)


def loss_of(task: Counting, counts: Tensor) -> float:
    return float(sum(task.loss(counts, None).values()))


def pair(other: list[float]) -> Tensor:
    """x of the specification's example in row 0; row 1 is y, whose own terms are arranged to cost nothing."""
    x = torch.tensor([[1.0, 0, 2], [0.5, 0, 0.5], [0, 0, 1], [0.25, 0, 0.25], [0.25, 0, 0]])
    y = torch.tensor([other, other, [0.0] * 3, [0.0] * 3, [0.0] * 3])
    return torch.stack([x, y])


@pytest.mark.parametrize(
    ("other", "of_x", "of_y"),
    [([0.0, 3.0, 0.0], 0.0625, 0.0), ([0.0, 0.0, 0.0], 6.0, 5.0)],
)
def test_the_loss_is_the_hand_value(task: Counting, other: list[float], of_x: float, of_y: float) -> None:
    """x costs |(1,0,2)-(1,0,1.75)|^2 plus what is missing to the margin; y adds up and costs max(0, 10 - |x - y|^2)."""
    counts = pair(other)
    assert loss_of(task, counts) == pytest.approx((of_x + of_y) / 2)
    assert loss_of(task, counts) == pytest.approx(naive_loss(counts, task.config.margin), rel=1e-6)


def test_the_hand_value_comes_out_of_the_task_itself(task: Counting) -> None:
    """Both rows are the same x, so the mean over the batch is the value of one."""
    x = pair([0.0] * 3)[0]
    far = x + torch.tensor([0.0, 3.0, 0.0]) * torch.tensor([1.0, 1, 0, 0, 0]).unsqueeze(1)  # y's own sides agree
    values = task.loss(torch.stack([x, far]), None)
    # x: pull .0625, push |(1,3,2)-(1,0,1.75)|^2 = 9.0625; y: pull .0625, push |(1,0,2)-(1,3,1.75)|^2 = 9.0625
    assert float(values["tiles_add_up"]) == pytest.approx(0.0625)
    assert float(values["others_differ"]) == pytest.approx(10 - 9.0625)


def test_a_hinge_on_every_unit_is_the_mistake_of_the_specification(task: Counting) -> None:
    """|(0,0,0)-(1,0,1.75)|^2 by unit is (1, 0, 3.0625): 9 + 10 + 6.9375 is missing, and .0625 does not add up."""
    config = build_config("counting", "small", {**TINY, "hinge": "unit"})
    broken = Counting(task.encoder, task.head, config)
    terms = broken.loss(pair([0.0] * 3), None)
    of_y = 10 - 1 + 10 + 10 - 4  # |(1,0,2) - 0|^2 by unit is (1, 0, 4)
    assert float(terms["others_differ"]) * 2 - of_y == pytest.approx(26.0 - 0.0625)
    assert config.collapsed_cost == 80
    assert loss_of(broken, torch.zeros(4, 5, 8)) == 80.0
    assert (task.config.collapsed_cost, build_config("counting", "small", {"margin": 0.0}).collapsed_cost) == (10, 0)


def test_only_the_kernels_that_are_asked_for_are_drawn(task: Counting) -> None:
    config = build_config("counting", "small", {**TINY, "kernels": "lanczos, area"})
    assert (config.kernels, config.kernel_names) == ("area,lanczos", ("area", "lanczos"))
    assert config == build_config("counting", "small", {**TINY, "kernels": "area,lanczos,area"})
    some = Counting(task.encoder, task.head, config)
    assert {some.draw(1, generator(4, i)).kernel for i in range(40)} == {"area", "lanczos"}
    assert {task.draw(1, generator(4, i)).kernel for i in range(80)} == set(KERNELS)


def test_counting_nothing_costs_the_whole_margin(task: Counting) -> None:
    assert loss_of(task, torch.zeros(4, 5, 8)) == 10.0


def test_a_small_constant_costs_the_whole_margin_too(task: Counting) -> None:
    small, large = torch.full((3, 5, 8), 0.3), torch.full((3, 5, 8), 1.0)
    assert loss_of(task, small) == pytest.approx(10.0, abs=1e-4)  # 9 |c|^2 = 6.48 <= 10
    assert loss_of(task, large) == pytest.approx(9 * 8, abs=1e-4)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_the_loss_meets_its_transcription(task: Counting, count: int) -> None:
    counts = torch.rand(count, 5, 8, generator=generator(count)) * 0.6
    assert loss_of(task, counts) == pytest.approx(naive_loss(counts, 10.0), rel=1e-5)


def test_one_image_alone_is_refused(task: Counting) -> None:
    with pytest.raises(ValueError, match="at least two"):
        task.loss(torch.zeros(1, 5, 8), None)


def test_the_other_image_is_never_the_image_itself(task: Counting) -> None:
    for count in range(2, 9):
        counts = torch.zeros(count, 5, 8, requires_grad=True)
        shifted = counts + torch.arange(count).view(-1, 1, 1) * 0.01
        push = task.loss(shifted, None)["others_differ"]
        (gradient,) = torch.autograd.grad(push, counts)
        assert (gradient[:, 0].abs().sum(dim=1) > 0).all()  # reaches every D(y)
        assert (gradient[:, 1:].abs().sum(dim=(1, 2)) > 0).all()  # and every tile
    alone = torch.rand(2, 5, 8, generator=generator(3)) * 0.3
    changed = alone.clone()
    changed[1, 0] += 0.1
    assert task.loss(changed[:1].repeat(2, 1, 1), None) != task.loss(changed, None)


def test_with_area_downscaling_four_times_the_whole_is_the_sum_of_the_tiles() -> None:
    image = photos(3).float()
    small, cut = halve(image, "area"), tiles(image)
    assert torch.allclose(4 * small.sum(dim=(1, 2, 3)), cut.sum(dim=(1, 2, 3, 4)), rtol=1e-4)
    assert torch.allclose(cut.sum(dim=(1, 2, 3, 4)), image.sum(dim=(1, 2, 3)), rtol=1e-4)


def test_tiles_put_back_together_are_the_image() -> None:
    image = photos(2)
    cut = tiles(image)
    rows = [torch.cat([cut[:, 2 * i], cut[:, 2 * i + 1]], dim=-1) for i in range(2)]
    assert torch.equal(torch.cat(rows, dim=-2), image)
    assert halve(image.float(), "area").shape == cut[:, 0].shape


@pytest.mark.parametrize(("side", "stride"), [(114, 4), (112, 4), (72, 2)])
def test_the_trunk_ends_in_three_by_three_cells(side: int, stride: int) -> None:
    features = AlexNet(stride=stride)(torch.zeros(1, 3, side, side))
    assert features.shape == (1, 256, 3, 3)


def test_the_papers_head_is_4096_4096_1000() -> None:
    with torch.device("meta"):
        head = CountingHead(features=2304, hidden=4096, units=1000)
    assert [tuple(layer.weight.shape) for layer in (head.fc6, head.fc7, head.counts)] == [
        (4096, 2304),
        (4096, 4096),
        (1000, 4096),
    ]
    assert build_config("counting", "paper", {}) == CountingConfig()
    assert (CountingConfig().size, CountingConfig().units, CountingConfig().margin) == (114, 1000, 10.0)


def test_counts_are_never_negative(task: Counting) -> None:
    with torch.no_grad():
        counts = task(task.views(photos(4), generator(0)).inputs)
    assert counts.min() >= 0
    assert counts.max() > 0
    assert type(list(task.head.children())[-1]) is torch.nn.ReLU


def test_the_gray_coin_falls_as_often_as_the_paper_says(task: Counting) -> None:
    share = sum(task.draw(1, generator(9, i)).gray for i in range(10_000)) / 10_000
    assert share == pytest.approx(0.67, abs=0.02)


def test_all_inputs_of_a_term_share_the_gray_coin(task: Counting) -> None:
    images, seen = photos(2, side=8), set()
    for draw in range(40):
        views = task.views(images, generator(9, draw)).inputs
        is_gray = (views - views.mean(dim=2, keepdim=True)).abs().amax(dim=(2, 3, 4)) < 1e-6  # (B, 5)
        assert is_gray.all() or not is_gray.any()
        assert bool(is_gray.all()) == task.draw(2, generator(9, draw)).gray
        seen.add(bool(is_gray.all()))
    assert seen == {True, False}


def test_gray_is_the_plain_mean_of_the_channels() -> None:
    image = torch.tensor([0.3, 0.6, 0.9]).view(1, 3, 1, 1)
    assert torch.allclose(gray(image), torch.full((1, 3, 1, 1), 0.6))


def test_the_four_kernels_are_four_different_kernels() -> None:
    noise = photos(1).float()
    results = {kernel: halve(noise, kernel) for kernel in KERNELS}
    for one, two in itertools.combinations(KERNELS, 2):
        assert (results[one] - results[two]).abs().mean() > 1, (one, two)
    for kernel in KERNELS:
        assert sum(taps(kernel)) == pytest.approx(1)
        flat = torch.full((1, 3, 16, 16), 7.0)
        assert torch.allclose(halve(flat, kernel), torch.full((1, 3, 8, 8), 7.0), atol=1e-5)


@pytest.mark.parametrize("kernel", ["linear", "cubic", "lanczos"])
def test_halving_is_a_filter_with_replicated_borders_of_which_every_other_value_is_kept(kernel: str) -> None:
    image = photos(1).float()[:, :, :12, :20]  # not square: rows and columns must not be swapped
    weights = torch.tensor(taps(kernel))
    pad = len(weights) // 2 - 1
    padded = F.pad(image, (pad,) * 4, mode="replicate").flatten(0, 1)[:, None]
    expected = F.conv2d(padded, torch.outer(weights, weights)[None, None], stride=2)
    assert torch.allclose(halve(image, kernel), expected[:, 0].view(1, 3, 6, 10), atol=1e-3)


def test_every_kernel_is_drawn_in_training(task: Counting) -> None:
    images = photos(2)
    config = build_config("counting", "small", {**TINY, "gray_share": 0.0, "flip": False})
    plain = Counting(task.encoder, task.head, config)
    expected = {kernel: stack(images.float() / 255, kernel) for kernel in KERNELS}
    seen = {
        kernel
        for draw in range(40)
        for kernel in KERNELS
        if torch.equal(plain.views(images, generator(2, draw)).inputs, expected[kernel])
    }
    assert seen == set(KERNELS)


def test_cubic_taps_are_those_of_a_quarter_less_than_minus_half() -> None:
    assert taps("cubic") == pytest.approx((-0.09375, 0.59375, 0.59375, -0.09375))
    assert taps("linear") == pytest.approx((0.125, 0.375, 0.375, 0.125))


def test_training_mode_adds_no_noise_to_counts(task: Counting) -> None:
    views = task.views(photos(2), generator(0)).inputs
    task.train()
    with torch.no_grad():
        assert torch.equal(task(views), task(views))


def test_the_learning_rate_falls_every_ten_thousand_steps() -> None:
    config = CountingConfig()
    how = FitConfig(steps=config.steps, lr=config.lr, lr_decay=config.lr_decay, lr_every=config.lr_every)
    rates = [how.learning_rate(step) for step in (0, 9_999, 10_000, 20_000)]
    assert rates == pytest.approx([1e-4, 1e-4, 9e-5, 8.1e-5])


def test_all_five_views_share_one_affine_map() -> None:
    pixels = photos(1).float() / 255
    views = stack(pixels, "area")
    normal = standardise(pixels)
    assert torch.allclose(views[:, 1:], tiles(normal), atol=1e-5)
    assert torch.allclose(views[:, 0], halve(normal, "area"), atol=1e-5)


def test_an_empty_crop_is_not_amplified() -> None:
    flat = torch.full((1, 3, 8, 8), 0.5)
    flat[0, 0, 0, 0] += 1e-4
    assert standardise(flat).abs().max() <= 1e-4 / SMALLEST_STD


def test_the_same_seed_gives_the_same_views(task: Counting) -> None:
    one, two = (task.views(photos(3), generator(5)).inputs for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, task.views(photos(3), generator(6)).inputs)
