"""What runs on the CPU runs on a device: training, validation, evaluation, scans and answers, to the same numbers.

test_devices.py runs this in a process of its own, because autograd counts the devices once, before its first pass.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import Tensor

from app.jobs.context import JobContext
from app.jobs.kinds import evaluate, scan, train
from app.jobs.spec import JobSpec, Output
from models.card import STEP0, WEIGHTS, read_card
from models.checkpoints import inference
from models.checkpoints import storage as checkpoints
from models.galleries.packs import Pack
from models.recipes import build_config
from models.scans.files import ScanReader
from models.seeds import generator
from models.tasks.counting import Counting
from models.training.batches import Batches, ResidentRegions, StreamedRegions
from models.training.loop import FitConfig, fit, saved_state
from models.training.validation_log import read_validation_log
from tests.models.packing import pack_of
from tests.second_device import DEVICE, Elsewhere

TINY = {"crop": 64, "region": 80, "width": 0.25, "hidden": 16, "units": 8, "batch_size": 8, "steps": 4, "held_out": 8}
LR = 1e-4
FOLDERS = {"gallery": "galleries", "checkpoint": "checkpoints"}
KINDS = {"train": train.run, "scan": scan.run, "evaluate": evaluate.run}
SPECS: dict[str, dict[str, Any]] = {
    "train": {
        "task": "counting",
        "recipe": "small",
        "config": {**TINY, "lr": LR, "start_norm": 2.0, "conv1_lr": 2.0, "precision": "fp32"},
        "seed": 3,
    },
    "scan": {"layers": ["conv1", "conv2", "fc6", "counts"], "residual": True, "precision": "fp32", "top": 5},
    "evaluate": {"images": 16, "database": 30, "queries": 10, "seed": 0},
}


def job(workspace: Path, kind: str, device: str, **inputs: str) -> JobContext:
    """A job of the kind on the device; `inputs` name a gallery and a checkpoint of the workspace."""
    places = {name: f"{FOLDERS[name]}/{slug}" for name, slug in inputs.items()}
    where = device.split(":")[0]
    path = {
        "train": f"checkpoints/{where}",
        "scan": f"scans/{where}",
        "evaluate": f"checkpoints/{where}/evaluations/photos.json",
    }[kind]
    folder = workspace / "jobs" / f"{kind}-{where}"
    folder.mkdir(parents=True, exist_ok=True)
    output = Output({"train": "checkpoint", "evaluate": "evaluation"}.get(kind, kind), where, path)
    JobSpec("1", kind, str(workspace), {**SPECS[kind], **inputs}, places, output, device).write(folder)
    return JobContext.open(folder)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery; on each device a training, and the scan and evaluation of the network that the CPU trained."""
    folder = tmp_path_factory.mktemp("devices")
    pack_of(folder / "galleries" / "photos", 60, label=lambda row: "ab"[row % 2]).close()
    torch.set_num_threads(1)
    for device in ("cpu", DEVICE):
        train.run(job(folder, "train", device, gallery="photos"))
        for kind in ("scan", "evaluate"):
            KINDS[kind](job(folder, kind, device, gallery="photos", checkpoint="cpu"))
    return folder


def both(workspace: Path, path: str) -> tuple[Path, Path]:
    return workspace / path.format("cpu"), workspace / path.format("elsewhere")


def close(one: Any, two: Any) -> bool:
    """Whether two arrays are alike: the devices take other kernels, whose sums are rounded in another order."""
    one, two = (np.asarray(array, dtype=np.float64) for array in (one, two))
    return one.shape == two.shape and np.allclose(
        one, two, rtol=1e-2, atol=1e-3 * max(1.0, np.nanmax(np.abs(one))), equal_nan=True
    )


def test_a_tensor_that_was_left_behind_is_refused() -> None:
    there = torch.arange(6, device=DEVICE).view(2, 3)
    assert isinstance(there, Elsewhere) and str(there.device) == DEVICE
    assert there.sum().item() == 15 and (there + 1).cpu().tolist() == [[1, 2, 3], [4, 5, 6]]
    for mistake in (
        lambda: there + torch.ones(3),
        lambda: there[torch.tensor([0])],
        lambda: torch.where(torch.tensor([True, False, True]), there, there),
        lambda: there.numpy(),
        lambda: torch.rand(2, device=DEVICE, generator=torch.Generator()),
    ):
        with pytest.raises(RuntimeError):
            mistake()


def test_a_training_begins_alike_and_ends_near(workspace: Path) -> None:
    one, two = both(workspace, f"checkpoints/{{}}/{STEP0}")
    assert one.read_bytes() == two.read_bytes()
    weights, there = (load_file(path) for path in both(workspace, f"checkpoints/{{}}/{WEIGHTS}"))
    most = 2 * TINY["steps"] * 2 * LR  # four steps of Adam, conv1 at twice the rate, in opposite directions
    assert all(np.abs(weights[name].astype(float) - there[name]).max() <= most for name in weights)
    seen, seen_there = (read_validation_log(path) for path in both(workspace, "jobs/train-{}/state"))
    assert seen is not None and seen_there is not None
    assert seen.points[-1].step == seen_there.points[-1].step == TINY["steps"]
    assert close(list(seen.points[0].measures.values()), list(seen_there.points[0].measures.values()))
    assert close(seen.points[0].totals, seen_there.points[0].totals)


def test_a_card_and_an_evaluation_measure_the_same_things_alike(workspace: Path) -> None:
    card, card_there = (read_card(path).measures["network"] for path in both(workspace, "checkpoints/{}"))
    assert set(card) == set(card_there)
    told, there = (
        json.loads((workspace / "checkpoints" / slug / "evaluations" / "photos.json").read_text())["measures"][
            "network"
        ]
        for slug in ("cpu", "elsewhere")
    )
    assert set(told) == set(there)
    for name in ("loss", "additivity_ratio", "matched_to_mismatched"):
        assert close(told[name]["value"], there[name]["value"]), name


def test_every_number_of_a_scan_is_alike(workspace: Path) -> None:
    one, two = both(workspace, "scans/{}")
    files = sorted(path.relative_to(one) for path in one.rglob("*.np[yz]"))
    assert {path.relative_to(two) for path in two.rglob("*.np[yz]")} == set(files) and len(files) > 15
    for name in files:
        if name.name.startswith(("embeddings", "maxima")):
            assert close(np.load(one / name), np.load(two / name)), name
    for layer in ("conv1", "conv2", "counts"):
        assert close(*(ScanReader(folder).units(layer).values for folder in (one, two)))
    regions, there = (ScanReader(folder).regions("conv2") for folder in (one, two))
    assert regions is not None and there is not None
    assert (np.abs(regions - there) <= 1).mean() > 0.95  # a pixel at half of the maximum may fall to either side


def trained(workspace: Path, device: str, folder: Path, *, stop_at: int | None = None) -> dict[str, Tensor]:
    """The weights after four steps on the gallery, or where it was stopped, on the CPU."""
    task = Counting.build(build_config("counting", "small", TINY), generator(3))
    task.to(device).to(memory_format=torch.channels_last)
    with Pack.open(workspace / "galleries" / "photos") as pack:
        regions = ResidentRegions.load(pack, range(20), 80, device, lambda _done: None)
    assert regions.pixels.device.type == device.split(":")[0]
    batches = Batches(regions, crop=64, batch_size=8, seed=3)
    folder.mkdir(exist_ok=True)
    steps = fit(task, batches, FitConfig(steps=4, lr=LR, seed=3, report_seconds=0.0), folder)
    for progress in steps:
        if progress.step == stop_at:
            steps.close()
    return {name: value.cpu() for name, value in task.state_dict().items()}


def test_an_interrupted_training_goes_on_with_its_optimiser_on_the_device(workspace: Path, tmp_path: Path) -> None:
    whole = trained(workspace, DEVICE, tmp_path / "whole")
    begun = trained(workspace, DEVICE, tmp_path / "two", stop_at=2)
    state = saved_state(tmp_path / "two")
    assert state is not None and state["step"] == 2
    ended = trained(workspace, DEVICE, tmp_path / "two")
    assert all(torch.equal(whole[name], ended[name]) for name in whole)
    on_the_cpu = trained(workspace, "cpu", tmp_path / "cpu")
    assert all(float((whole[name] - on_the_cpu[name]).abs().max()) <= 8 * LR for name in whole)
    assert not torch.equal(begun["encoder.conv1.weight"], ended["encoder.conv1.weight"])


def test_crops_that_are_decoded_while_training_lie_on_the_device(workspace: Path) -> None:
    with Pack.open(workspace / "galleries" / "photos") as pack:
        streamed = StreamedRegions(pack, range(4), torch.full((4,), 80), 80, DEVICE)
        zeros = torch.zeros(2, dtype=torch.long)
        crops = streamed.crops(torch.tensor([1, 3]), zeros, zeros, 64)
    assert str(crops.device) == DEVICE and crops.shape == (2, 3, 64, 64)


def test_every_question_to_the_predictor_has_the_same_answer(workspace: Path) -> None:
    folder = workspace / "checkpoints" / "cpu"
    here, there = checkpoints.load(folder), checkpoints.load(folder, device=DEVICE)
    with Pack.open(workspace / "galleries" / "photos") as pack:
        jpeg = pack.jpeg(0)
    for layer in ("conv3", "fc6", "counts"):
        vectors = [inference.embed(network, jpeg, layer).vector for network in (here, there)]
        assert close(*vectors)
        maps = [inference.heatmap(network, jpeg, layer, 2).values for network in (here, there)]
        assert close(*maps)
    counts = [inference.count(network, jpeg, "lanczos") for network in (here, there)]
    assert close(counts[0].tiles, counts[1].tiles)
    assert np.array_equal(counts[0].inputs.pixels, counts[1].inputs.pixels)
    curves = [inference.magnitude_curve(network, jpeg, (0.5, 1.0)) for network in (here, there)]
    assert [close(one.total, two.total) for one, two in zip(*curves, strict=True)] == [True, True]
