"""The training job, run as the supervisor runs it, survives kill -9 and ends in the same weights."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from app.jobs.context import JobContext, JobFailed
from app.jobs.kinds import train
from app.jobs.run import DONE
from app.jobs.spec import JobSpec, Output
from models.card import WEIGHTS, file_sha256, read_card, read_reference, step0_filters
from models.checkpoints import storage as checkpoints
from models.counting.training_views import VIEWS
from models.galleries.images import store_image
from models.galleries.loading import regions_of
from models.galleries.packs import Pack, PackRow, write_manifest, write_shard
from models.recipes import build_config
from models.seeds import generator
from models.tasks.base import Epoch, Relabelled
from models.tasks.scoring import held_out
from models.tasks.supervised import Supervised
from models.training.batches import Batches, ResidentRegions, split_rows
from models.training.loop import FitConfig, fit
from models.training.validation_log import picture_path, read_validation_log
from tests.making import write_photos

LABELS = ("dog", "cat", None)
CROPS = {"crop": 64, "region": 72, "hidden": 16, "batch_size": 8, "steps": 12, "warmup": 0}
CONFIG = {"crop": 80, "region": 96, "stride": 4, "width": 0.25, "hidden": 16, "units": 8, "batch_size": 16, "steps": 40}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    rows = []
    for path in sorted(write_photos(folder / "photos").rglob("*.jpg")):
        image = store_image(path.read_bytes())
        sizes = {"jpeg_width": image.jpeg_width, "jpeg_height": image.jpeg_height}
        about = {"width": image.width, "height": image.height, "sha256": image.sha256}
        rows.append(
            (
                PackRow(
                    path=path.name, label=LABELS[len(rows) % 3], split=None, counts=None, source=None, **about, **sizes
                ),
                image,
            )
        )
    pack = folder / "galleries" / "photos"
    write_manifest(pack, [write_shard(pack, 0, rows)])
    return folder


def prepare(workspace: Path, number: int, **config: object) -> Path:
    return prepare_task(workspace, number, "counting", {**CONFIG, **config})


def prepare_task(workspace: Path, number: int, task: str, config: dict[str, object]) -> Path:
    place = workspace / "jobs" / str(number)
    place.mkdir(parents=True)
    spec = {"gallery": "photos", "task": task, "recipe": "small", "config": config, "seed": 5}
    output = Output("checkpoint", f"run-{number}", f"checkpoints/run-{number}")
    inputs = {"gallery": "galleries/photos"}
    JobSpec(str(number), "train", str(workspace), spec, inputs, output, device="cpu").write(place)
    return place


def start(place: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "app.jobs.run", str(place)])


def events(place: Path, kind: str) -> list[dict[str, Any]]:
    lines = (place / "events.jsonl").read_text().splitlines()
    return [event for line in lines if (event := json.loads(line))["type"] == kind]


@pytest.fixture(scope="module")
def finished(workspace: Path) -> Path:
    """A run that nobody disturbed."""
    assert start(prepare(workspace, 1)).wait(120) == DONE
    return workspace / "checkpoints" / "run-1"


def test_a_run_killed_at_any_moment_ends_in_the_weights_of_one_that_was_not(workspace: Path, finished: Path) -> None:
    place = prepare(workspace, 2)
    process = start(place)
    deadline = time.monotonic() + 60
    while not (place / "state" / "training.pt").exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    assert not (workspace / "checkpoints" / "run-2").exists()
    assert start(place).wait(120) == DONE
    assert file_sha256(workspace / "checkpoints" / "run-2" / WEIGHTS) == file_sha256(finished / WEIGHTS)
    assert len(events(place, "started")) == 2


def test_the_card_says_where_the_checkpoint_came_from(finished: Path) -> None:
    card = read_card(finished)
    assert card.provenance["images_trained"] == 36
    assert card.provenance["images_held_out"] == 4
    assert card.provenance["seed"] == 5
    assert card.config["units"] == 8
    assert card.curves["loss"][-1][0] == 40
    assert set(card.measures) >= {"network", "random_init", "averager", "constant"}
    reference, before = read_reference(finished), step0_filters(finished)
    assert reference is not None
    assert before is not None
    assert reference.whole.shape == (4, 8)
    assert before.shape == (24, 3, 11, 11)


def test_a_run_looks_at_held_out_images_from_step_0_on(workspace: Path, finished: Path) -> None:
    place = workspace / "jobs" / "1"
    log = read_validation_log(place / "state")
    assert log is not None
    assert (log.points[0].step, log.points[-1].step, log.images) == (0, 40, 4)
    told = [event["metrics"] for event in events(place, "progress") if "additivity_ratio" in event["metrics"]]
    assert 1 <= len(told) <= len(log.points)  # at most two events a second; the file holds every look
    card = read_card(finished)
    for name in ("held_out_pull", "additivity_ratio", "firing_units", "conv1_tv_ratio"):
        assert card.curves[name][-1] == [40, log.points[-1].measures[name]]
    scored = card.measures["network"]["additivity_ratio"]["value"]  # the stored weights, on the same four images
    assert log.points[-1].measures["additivity_ratio"] == pytest.approx(scored, rel=0.05)
    assert all(picture_path(place / "state", name).exists() for name in VIEWS)


def test_the_artefact_is_named_after_it_is_on_disk(workspace: Path, finished: Path) -> None:
    (artefact,) = events(workspace / "jobs" / "1", "artefact")
    assert (artefact["kind"], artefact["slug"], artefact["path"]) == ("checkpoint", "run-1", "checkpoints/run-1")
    with Pack.open(workspace / "galleries" / "photos") as pack:
        assert read_card(finished).provenance["gallery_fingerprint"] == pack.fingerprint


def test_a_start_norm_holds_for_the_network_its_step_0_and_its_control(workspace: Path) -> None:
    place = prepare(workspace, 4, start_norm=10.0, conv1_std=0.01, steps=2, lr=1e-8, kernels="area")
    train.run(JobContext.open(place))
    folder = workspace / "checkpoints" / "run-4"
    card, before = read_card(folder), step0_filters(folder)
    assert before is not None
    scale = card.provenance["conv1_scale"]
    assert before.std() == pytest.approx(0.01 * scale, rel=0.02)
    assert abs(scale - 1) > 0.1
    pulls = [card.measures[of]["pull"]["value"] for of in ("network", "random_init")]  # it has learned next to nothing
    assert pulls[0] == pytest.approx(pulls[1], rel=0.01)
    assert 10 < pulls[0] < 9 * 20  # four tiles of the norm that was asked for: about 9 times 10
    assert card.config["kernels"] == "area"


def test_images_that_are_all_too_small_are_explained(workspace: Path) -> None:
    place = prepare(workspace, 3, crop=200, region=200)
    with pytest.raises(JobFailed, match="200 px") as failure:
        train.run(JobContext.open(place))
    assert failure.value.code == "too_few_images"


def test_a_rotation_keeps_what_its_head_needs_and_measures_itself_beside_chance(workspace: Path) -> None:
    place = prepare_task(workspace, 5, "rotation", CROPS)
    train.run(JobContext.open(place))
    folder = workspace / "checkpoints" / "run-5"
    card = read_card(folder)
    assert "conv1_scale" not in card.provenance and "held_out_pull" not in card.curves
    assert not card.has_counts and [layer.name for layer in card.layers] == [f"conv{n}" for n in range(1, 6)]
    assert card.measures["chance"]["accuracy"]["value"] == 0.25
    scored = {column: card.measures[column]["accuracy"] for column in ("network", "random_init")}
    assert all(cell["n"] == 4 and 0 <= cell["value"] <= 1 for cell in scored.values())
    assert card.curves["held_out_accuracy"][0][0] == 0 and card.curves["held_out_loss"][-1][0] == 12
    log = read_validation_log(place / "state")
    assert log is not None
    assert (log.question, log.captions) == ("How was the photo turned?", ("turned",))
    assert picture_path(place / "state", "view-1").exists()
    task = checkpoints.load_task(folder)
    with Pack.open(workspace / "galleries" / "photos") as pack:
        rows = split_rows(pack, 0, 512).held_out
        regions = regions_of(pack, rows, 72, enlarge=True)
    again = held_out(task, regions, None, 5)
    assert float(again["accuracy"].mean()) == pytest.approx(scored["network"]["value"])
    assert checkpoints.load(folder).head is None


def test_labels_are_learned_where_there_are_some(workspace: Path) -> None:
    place = prepare_task(workspace, 6, "supervised", CROPS)
    train.run(JobContext.open(place))
    card = read_card(workspace / "checkpoints" / "run-6")
    assert card.provenance["classes"] == ["cat", "dog"]
    assert card.config["classes"] == 2
    assert card.provenance["images_without_target"] == 13
    assert card.provenance["images_trained"] + card.provenance["images_held_out"] == 27
    assert checkpoints.load_task(workspace / "checkpoints" / "run-6").names == ("cat", "dog")


def test_small_photos_are_enlarged_only_where_all_views_are_alike(workspace: Path) -> None:
    place = prepare_task(workspace, 7, "rotation", {**CROPS, "crop": 200, "region": 200, "enlarge": False})
    with pytest.raises(JobFailed, match="200 px"):
        train.run(JobContext.open(place))
    with Pack.open(workspace / "galleries" / "photos") as pack:
        data = train.read_data(JobContext.open(place), pack, build_config("rotation", "small", {"crop": 100}))
    assert data.split.too_small == 0 and len(data.split.train) == 36
    assert {tuple(square.shape) for square in data.regions} == {(3, 128, 128)}


FIT = FitConfig(steps=12, lr=1e-3, seed=3, report_seconds=0.0)


def batches_of() -> Batches:
    pixels = torch.randint(0, 256, (12, 3, 72, 72), generator=generator(7), dtype=torch.uint8)
    regions = ResidentRegions(pixels, torch.full((12,), 72))
    return Batches(regions, crop=64, batch_size=3, seed=3)


class Relabelling(Supervised):
    """Labels at random, drawn anew for each epoch, in an order of its own."""

    told: ClassVar[list[int]] = []

    def on_epoch_start(self, epoch: Epoch) -> Relabelled:
        self.told.append(epoch.number)
        targets = torch.randint(0, 3, (12,), generator=epoch.rng)
        return Relabelled(targets, torch.argsort(targets, stable=True), {"classes_seen": 3.0})


def relabelling() -> Relabelling:
    config = build_config("supervised", "small", {"crop": 64, "region": 72, "hidden": 8, "classes": 3})
    return Relabelling.build(config, generator(0))


def test_a_run_that_relabels_its_images_goes_on_with_the_labels_it_had(tmp_path: Path) -> None:
    """Interrupted in the middle of its second epoch, it is not told of the epoch again, and ends the same."""
    ends, told = [], []
    for stop in (None, 7):
        folder = tmp_path / str(stop)
        folder.mkdir()
        Relabelling.told.clear()
        task = relabelling()
        for progress in (steps := fit(task, batches_of(), FIT, folder)):
            if progress.step == stop:
                steps.close()
        if stop is not None:
            task = relabelling()
            list(fit(task, batches_of(), FIT, folder))
        ends.append([value.clone() for value in task.state_dict().values()])
        told.append(list(Relabelling.told))
    assert told == [[0, 1, 2], [0, 1, 2]]
    assert all(torch.equal(one, two) for one, two in zip(*ends, strict=True))
