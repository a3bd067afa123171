"""Units seen growing: their best images with every snapshot, and the file that keeps them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.card import write_card
from models.checkpoints import storage as checkpoints
from models.evaluations.snapshots import NoSnapshots, grow
from models.scans import timelines
from models.training.loop import FitConfig, fit
from tests.models.packing import pack_of
from tests.models.training.test_training import batches, new_task


def test_each_step_has_its_own_best_images_and_the_last_is_the_checkpoint(tmp_path: Path) -> None:
    task = new_task()
    folder = tmp_path / "net"
    folder.mkdir()
    with pack_of(tmp_path / "pack", 44, label=lambda row: "even" if row % 2 else "odd") as pack:
        card = checkpoints.describe(task, name="net", recipe=None, config={})
        sha256 = checkpoints.save_weights(folder, task.encoder, task.head)
        write_card(folder, replace(card, weights_sha256=sha256, provenance={"steps": 2}))
        with pytest.raises(NoSnapshots):
            grow(pack, folder, images=44, device="cpu", tick=lambda _done, _total: None)
        keeper = checkpoints.Snapshots(task.encoder, folder, 2)
        list(fit(task, batches(), FitConfig(steps=2, lr=1e-3, report_seconds=0.0), tmp_path, keeper.after))
        sha256 = checkpoints.save_weights(folder, task.encoder, task.head)
        write_card(folder, replace(card, weights_sha256=sha256, provenance={"steps": 2}))
        told: list[tuple[int, int]] = []
        made = grow(pack, folder, images=44, device="cpu", tick=lambda done, total: told.append((done, total)))
    assert made.steps == (0, 1, 2) and told[-1] == (3, 3)
    assert made.rows["conv1"].shape == (3, 96, timelines.TOP) == made.values["conv1"].shape
    assert (np.diff(made.values["conv3"], axis=2) <= 0).all()
    assert not np.array_equal(made.values["conv1"][0], made.values["conv1"][2])
    assert [cell["n"] for cell in made.knn["conv5"]] == [22, 22, 22] and made.chance == 0.5
    path = timelines.place(folder, "photos")
    timelines.write(path, made)
    again = timelines.read(path)
    assert again is not None and again.steps == made.steps and again.knn == made.knn
    assert np.array_equal(again.rows["conv5"], made.rows["conv5"])
    path.write_bytes(b"not a file of arrays")
    assert timelines.read(path) is None
