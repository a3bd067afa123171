"""Snapshots of a training at log-spaced steps: which, what they hold, and that they change nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.card import write_card
from models.checkpoints import storage as checkpoints
from models.training import snapshots
from models.training.loop import FitConfig, fit
from tests.models.training.test_training import batches, new_task


@pytest.mark.parametrize(
    ("total", "steps"),
    [(1, (0,)), (2, (0, 1)), (1000, (0, 1, 2, 5, 10, 22, 46, 100, 215, 464)), (10, (0, 1, 2, 3, 4, 5, 6, 8))],
)
def test_steps_are_spaced_by_their_logarithm_and_leave_the_last_to_the_checkpoint(
    total: int, steps: tuple[int, ...]
) -> None:
    assert snapshots.steps_to_keep(total) == steps


def test_a_run_keeps_its_encoder_on_the_way_and_ends_in_the_same_weights(tmp_path: Path) -> None:
    how = FitConfig(steps=4, lr=1e-3, seed=3, report_seconds=0.0)
    ends = []
    for name in ("plain", "kept"):
        (tmp_path / name).mkdir()
        task = new_task()
        keeper = checkpoints.Snapshots(task.encoder, tmp_path / name, 4)
        list(fit(task, batches(), how, tmp_path / name, *([keeper.after] if name == "kept" else [])))
        ends.append([value.clone() for value in task.state_dict().values()])
    assert all(torch.equal(one, two) for one, two in zip(*ends, strict=True))
    folder = tmp_path / "kept"
    assert snapshots.kept(folder) == snapshots.steps_to_keep(4) and snapshots.kept(tmp_path / "plain") == ()
    card = checkpoints.describe(new_task(), name="a", recipe=None, config={})
    write_card(folder, card)
    start = new_task().encoder.get_parameter("conv1.weight").detach()
    assert np.array_equal(snapshots.first_layer_filters(folder, 0), start.half().float().numpy())
    later = checkpoints.encoder_at(folder, card, 2).get_parameter("conv1.weight")
    assert np.array_equal(snapshots.first_layer_filters(folder, 2), later.detach().numpy())
    assert not torch.equal(later, start)
