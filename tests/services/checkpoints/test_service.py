"""Checkpoints without torch: registering a folder, reading its card, its first filters."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from app.failures import BadQuery, Conflict, NotFound
from app.services.checkpoints.service import CheckpointsService, OpenCheckpoint
from app.store.engine import Store
from models.card import (
    STEP0,
    WEIGHTS,
    Card,
    CheckpointChanged,
    LayerCard,
    NotACheckpoint,
    Preprocess,
    file_sha256,
    read_card,
    write_card,
)


def write_checkpoint(folder: Path, *, name: str = "Counting photos", seed: int = 0, step0: bool = True) -> Path:
    """A folder as a training leaves it, with a first layer of 6 filters."""
    folder.mkdir(parents=True)
    filters = np.random.default_rng(seed).standard_normal((6, 3, 11, 11)).astype(np.float16)
    save_file({"encoder.conv1.weight": filters}, folder / WEIGHTS)
    if step0:
        np.save(folder / STEP0, filters.astype(np.float32) / 2)
    layers = (
        LayerCard("conv1", 6, "conv", "encoder.relu1", stride=2, receptive_field=11, offset=5.0),
        LayerCard("counts", 4, "counts", "head.relu8"),
    )
    card = Card(
        name=name,
        architecture="alexnet",
        encoder={"stride": 2},
        head={"units": 4},
        task="counting",
        recipe="small",
        config={"steps": 3},
        layers=layers,
        preprocess=Preprocess(144, 160, 72, None, "per_crop"),
        weights_sha256=file_sha256(folder / WEIGHTS),
        dtype="fp16",
        measures={"network": {"loss": {"value": 7.1, "interval": [6.9, 7.3], "n": 512}}},
    )
    write_card(folder, card)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "workspace")
    yield opened
    opened.close()


@pytest.fixture
def service(store: Store) -> CheckpointsService:
    return CheckpointsService(store)


def opened(service: CheckpointsService, folder: Path) -> OpenCheckpoint:
    """The folder's checkpoint, registered and opened."""
    return service.open(service.register_folder(folder).slug)


def test_a_folder_is_copied_whole_and_known_by_its_name(service: CheckpointsService, tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source")
    record = service.register_folder(source)
    assert (record.slug, record.name, record.task) == ("counting-photos", "Counting photos", "counting")
    assert sorted(path.name for path in record.folder.iterdir()) == sorted(path.name for path in source.iterdir())
    assert service.open("counting-photos").card == read_card(source)
    assert [path.name for path in record.folder.parent.iterdir()] == ["counting-photos"]  # no temporary folder is left


def test_the_same_weights_are_registered_once(service: CheckpointsService, tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source")
    assert service.register_folder(source) == service.register_folder(source)
    assert len(service.list().checkpoints) == 1


def test_other_weights_of_that_name_get_a_name_of_their_own(service: CheckpointsService, tmp_path: Path) -> None:
    service.register_folder(write_checkpoint(tmp_path / "a"))
    assert service.register_folder(write_checkpoint(tmp_path / "b", seed=1)).slug == "counting-photos-2"


def test_weights_that_are_not_those_of_the_card_are_refused(service: CheckpointsService, tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source")
    write_card(source, replace(read_card(source), weights_sha256="0" * 64))
    with pytest.raises(CheckpointChanged):
        service.register_folder(source)
    assert service.list().checkpoints == ()


def test_a_folder_without_a_card_is_no_checkpoint(service: CheckpointsService, tmp_path: Path) -> None:
    with pytest.raises(NotACheckpoint):
        service.register_folder(tmp_path)


def test_the_list_is_newest_first_and_its_cursor_goes_on(service: CheckpointsService, tmp_path: Path) -> None:
    for seed in range(3):
        service.register_folder(write_checkpoint(tmp_path / str(seed), name=f"run {seed}", seed=seed))
    first = service.list(limit=2)
    assert [record.slug for record in first.checkpoints] == ["run-2", "run-1"]
    rest = service.list(limit=2, cursor=first.next)
    assert [record.slug for record in rest.checkpoints] == ["run-0"] and rest.next is None


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "9" * 40])
def test_a_cursor_that_is_not_ours_is_a_bad_query(service: CheckpointsService, cursor: str) -> None:
    with pytest.raises(BadQuery):
        service.list(cursor=cursor)


def test_an_unknown_checkpoint_is_not_found(service: CheckpointsService) -> None:
    with pytest.raises(NotFound):
        service.open("nothing")


def test_a_damaged_card_is_said_without_a_path(service: CheckpointsService, tmp_path: Path) -> None:
    record = service.register_folder(write_checkpoint(tmp_path / "source"))
    (record.folder / "checkpoint.json").write_text("{")
    with pytest.raises(Conflict) as caught:
        service.open(record.slug)
    assert str(tmp_path) not in caught.value.message


def test_both_panels_share_one_scale_and_one_order(service: CheckpointsService, tmp_path: Path) -> None:
    layer = service.first_layer(opened(service, write_checkpoint(tmp_path / "source")))
    trained, before = layer.pixels("trained", "common"), layer.pixels("step0", "common")
    assert trained is not None and before is not None
    strong, weak = np.abs(trained.astype(int) - 128), np.abs(before.astype(int) - 128)
    assert weak.mean() == pytest.approx(strong.mean() / 2, rel=0.1)  # step 0 is half as strong here, and looks so
    norms = layer.trained.measures.norm
    assert [norms[i] for i in layer.order("norm")] == sorted(norms, reverse=True)


def test_a_checkpoint_without_its_step_0_says_so(service: CheckpointsService, tmp_path: Path) -> None:
    checkpoint = opened(service, write_checkpoint(tmp_path / "source", step0=False))
    assert service.first_layer(checkpoint).step0 is None
    with pytest.raises(NotFound):
        service.filters_png(checkpoint, panel="step0", scale="common", sort="norm")


def test_the_picture_of_the_filters_is_a_png(service: CheckpointsService, tmp_path: Path) -> None:
    checkpoint = opened(service, write_checkpoint(tmp_path / "source"))
    picture = service.filters_png(checkpoint, panel="trained", scale="own", sort="smoothness")
    assert picture.startswith(b"\x89PNG")
