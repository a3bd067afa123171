"""DeepCluster: edges by a filter that is never trained, groups made anew, every group seen equally often."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.encoders.sobel import SobelAlexNet
from models.recipes import build_config
from models.seeds import generator
from models.tasks.base import Epoch
from models.tasks.deepcluster import DeepCluster, regroup, uniform_order
from models.training.batches import Batches, ResidentRegions
from models.training.loop import FitConfig, fit

TINY: dict[str, Any] = {"crop": 64, "region": 64, "hidden": 16, "clusters": 4, "pca": 3, "batch_size": 8}


def new_task(**changes: Any) -> DeepCluster:
    config = build_config("deepcluster", "small", {**TINY, **changes})
    return DeepCluster.build(config, generator(2))


def pictures(count: int = 24) -> ResidentRegions:
    """Stripes at four angles, a few of each."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    angles = torch.arange(count) % 4 * (torch.pi / 4)
    waves = [torch.sin((x * a.cos() + y * a.sin()) / 2 + i) for i, a in enumerate(angles)]
    pixels = (127 + 120 * torch.stack(waves)).byte()[:, None].expand(-1, 3, -1, -1).contiguous()
    return ResidentRegions(pixels, torch.full((count,), 64))


def epoch(task: DeepCluster, number: int = 0, targets: torch.Tensor | None = None) -> Epoch:
    optimiser = torch.optim.SGD(task.parameters(), lr=0.1, momentum=0.9)
    return Epoch(number, pictures(), optimiser, generator(1, number), targets)


def test_the_sobel_filter_is_fixed_and_has_two_channels() -> None:
    encoder = new_task().encoder
    assert encoder.get_buffer("sobel.weight").shape[0] == 2
    assert not encoder.get_buffer("sobel.weight").requires_grad
    assert not [name for name, _ in encoder.named_parameters() if "sobel" in name]
    ramp = torch.arange(5.0).expand(1, 3, 5, 5)  # rises by one a column: 8 across, 0 down
    assert encoder.edges(ramp)[0, :, 2, 2].tolist() == pytest.approx([-8, 0])


def test_colour_of_one_brightness_is_invisible() -> None:
    encoder = SobelAlexNet()
    picture = torch.rand(1, 3, 9, 9, generator=generator(1))
    turned = picture[:, [1, 2, 0]]
    assert encoder.edges(picture) == pytest.approx(encoder.edges(turned), abs=1e-6)


def test_an_epoch_sees_every_group_equally_often_within_one() -> None:
    labels = np.array([0] * 10 + [1] * 2 + [5] * 1, np.int32)
    order = uniform_order(labels, generator(0))
    counts = np.bincount(labels[order.numpy()])
    assert len(order) == 13
    assert sorted(counts[counts > 0]) == [4, 4, 5]
    assert len(set(order[torch.from_numpy(labels[order.numpy()] == 0)].tolist())) == 5 or counts[0] == 4


def test_groups_lie_in_a_whitened_space_and_all_are_used() -> None:
    config = build_config("deepcluster", "small", TINY)
    features = np.random.default_rng(0).normal(0, 1, (60, 16)).astype(np.float32)
    labels, inertia = regroup(features, config, seed=1)  # type: ignore[arg-type]
    assert len(np.unique(labels)) == 4 and 0 < inertia < 2


def test_every_epoch_draws_the_last_layer_anew_and_forgets_its_momentum() -> None:
    task = new_task()
    now = epoch(task)
    views = task.views(now.windows.crops(torch.arange(8), *[torch.zeros(8, dtype=torch.long)] * 2, 64), generator(3))
    task(views.inputs).square().mean().backward()
    now.optimiser.step()
    top, other = task.head.get_parameter("top.weight"), task.encoder.get_parameter("conv2.weight")
    before = top.detach().clone()
    made = task.on_epoch_start(now)
    assert not now.optimiser.state[top]["momentum_buffer"].any()
    assert now.optimiser.state[other]["momentum_buffer"].any()
    assert not torch.equal(top, before) and 0.005 < float(top.detach().std()) < 0.02
    assert made.targets.shape == (24,) and made.order is not None and len(made.order) == 24


def test_what_changed_since_the_last_epoch_is_told() -> None:
    task = new_task()
    first = task.on_epoch_start(epoch(task))
    assert first.metrics is not None and "nmi_with_last" not in first.metrics
    again = task.on_epoch_start(epoch(task, targets=first.targets))  # the same seed and the same network
    assert again.metrics is not None and again.metrics["nmi_with_last"] == pytest.approx(1.0)


def test_training_sorts_the_images_every_epoch(tmp_path: Path) -> None:
    batches = Batches(pictures(), crop=64, batch_size=8, seed=0)
    task = new_task()
    how = FitConfig(steps=7, lr=0.01, optimiser="sgd", report_seconds=0)
    last = list(fit(task, batches, how, tmp_path))[-1]
    assert last.step == 7 and batches.targets is not None
    state = torch.load(tmp_path / "training.pt", weights_only=True)
    assert [int(step) for step, _ in state["curves"]["nmi_with_last"]] == [3, 6]  # three steps an epoch
    assert [int(step) for step, _ in state["curves"]["kmeans_loss"]] == [0, 3, 6]


def test_held_out_images_are_judged_by_two_of_their_crops() -> None:
    task = new_task(flip=False).eval()
    views = task.views(pictures().pixels[:6], generator(0))
    assert views.inputs.shape[:2] == (6, 2)
    with torch.no_grad():
        found = task.measure(task(views.inputs), None)
    assert found["same_group"].tolist() == [1.0] * 6  # nothing is drawn at random: both crops are the picture
