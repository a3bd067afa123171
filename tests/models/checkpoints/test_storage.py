"""A saved checkpoint is read back strictly, and its card tells how it sees images."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from models.card import (
    WEIGHTS,
    CheckpointChanged,
    NotACheckpoint,
    Reference,
    first_layer_filters,
    read_card,
    read_reference,
    write_card,
)
from models.checkpoints import storage as checkpoints
from models.counting.equation import count_crops
from models.counting.measures import (
    Sides,
    additivity_ratio,
    growth_exponent,
    matched_to_mismatched,
    matched_to_norm_matched,
    measure,
    r2_adding,
    r2_averaging,
)
from models.crops import count_view, trunk_square
from models.geometry import central_square, clip_box, count_crop
from models.recipes import build_config
from models.seeds import generator
from models.tasks.counting import Counting

TINY = {"crop": 80, "region": 96, "stride": 4, "hidden": 16, "units": 8, "batch_size": 4}


@pytest.fixture(scope="module")
def task() -> Counting:
    return Counting.build(build_config("counting", "small", TINY), generator(0))


@pytest.fixture
def folder(task: Counting, tmp_path: Path) -> Path:
    sha256 = checkpoints.save_weights(tmp_path, task.encoder, task.head, dtype="fp32")
    card = checkpoints.describe(task, name="tiny", recipe="small", config=asdict(task.config))
    write_card(tmp_path, replace(card, weights_sha256=sha256))
    return tmp_path


def test_a_loaded_network_counts_as_the_task_does(task: Counting, folder: Path) -> None:
    crops = torch.randint(0, 256, (2, 3, 80, 80), generator=generator(1), dtype=torch.uint8)
    found = count_crops(checkpoints.load(folder), crops)
    plain = Counting(task.encoder, task.head, replace(task.config, gray_share=0.0, flip=False))
    plain.kernels = ("area",)
    with torch.no_grad():
        expected = plain(plain.views(crops, generator(2)).inputs)
    assert torch.allclose(found.whole, expected[:, 0], atol=1e-5)
    assert torch.allclose(found.total, expected[:, 1:].sum(dim=1), atol=1e-5)


def test_the_card_lists_layers_in_forward_order_with_counts_last(folder: Path) -> None:
    card = read_card(folder)
    trunk = [f"conv{i}" for i in range(1, 6)]
    assert [layer.name for layer in card.layers] == [*trunk, "fc6", "fc7", "counts"]
    assert [layer.stride for layer in card.trunk_layers] == [4, 8, 16, 16, 16]
    assert [layer.receptive_field for layer in card.trunk_layers] == [11, 51, 99, 131, 163]
    assert card.has_counts


def test_at_stride_two_the_receptive_fields_are_half_as_wide() -> None:
    task = Counting.build(build_config("counting", "small", {"hidden": 8, "units": 4}), generator(0))
    card = checkpoints.describe(task, name="small", recipe="small", config={})
    assert [layer.receptive_field for layer in card.trunk_layers] == [11, 31, 55, 71, 87]


def test_first_layer_filters_are_read_without_torch(task: Counting, folder: Path) -> None:
    assert np.array_equal(first_layer_filters(folder), task.encoder.get_parameter("conv1.weight").detach().numpy())


def test_changed_weights_are_refused(folder: Path) -> None:
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (folder / WEIGHTS).write_bytes(data)
    with pytest.raises(CheckpointChanged):
        checkpoints.load(folder)


def test_a_missing_tensor_is_refused(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors.pop("encoder.conv3.bias")
    save_file(tensors, folder / WEIGHTS)
    write_card(folder, replace(read_card(folder), weights_sha256=checkpoints.file_sha256(folder / WEIGHTS)))
    with pytest.raises(RuntimeError, match=r"conv3\.bias"):
        checkpoints.load(folder)


def test_a_folder_without_a_card_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(NotACheckpoint):
        read_card(tmp_path)


def test_the_reference_comes_back_as_it_was(tmp_path: Path) -> None:
    whole = np.random.default_rng(0).random((5, 4), dtype=np.float32)
    checkpoints.write_reference(tmp_path, Reference(whole, 2 * whole))
    found = read_reference(tmp_path)
    assert found is not None
    assert np.array_equal(found.total, 2 * whole)


def test_hooks_give_values_after_the_relu_and_leave_nothing_behind(folder: Path) -> None:
    network = checkpoints.load(folder)
    squares = torch.randint(0, 256, (1, 3, 96, 96), generator=generator(4), dtype=torch.uint8)
    with network.hooks(["conv1", "conv5"]) as seen:
        network.run_trunk(network.trunk_input(squares))
    assert seen["conv1"].min() == 0
    assert seen["conv1"].shape[1:] == (96, 22, 22)
    assert not any(module._forward_hooks for module in network.encoder.modules())


@pytest.mark.parametrize(
    ("width", "height", "box"),
    [
        (160, 160, (8, 8, 152, 152)),
        (200, 160, (28, 8, 172, 152)),
        (150, 160, (3, 8, 147, 152)),
        (100, 90, (5, 0, 95, 90)),
    ],
)
def test_the_count_crop_is_the_middle_nine_tenths_and_never_less_than_the_crop_has(
    width: int, height: int, box: tuple[int, ...]
) -> None:
    assert count_crop(width, height, crop=144, region=160) == box


def test_a_drawn_box_is_read_as_its_own_central_square() -> None:
    assert count_crop(200, 160, crop=144, region=160, box=(10, 20, 110, 80)) == (30, 20, 90, 80)
    with pytest.raises(ValueError, match="less than a pixel"):
        clip_box((300, 0, 310, 10), 200, 160)


def test_a_crop_that_is_too_small_is_enlarged_and_said_so(folder: Path) -> None:
    how = read_card(folder).preprocess
    small, large = torch.zeros(3, 40, 50, dtype=torch.uint8), torch.zeros(3, 96, 130, dtype=torch.uint8)
    assert [count_view(image, how)[0].shape[-1] for image in (small, large)] == [80, 80]
    assert [count_view(image, how)[2] for image in (small, large)] == [True, False]
    assert trunk_square(large, how)[0].shape == (3, 96, 96)
    assert trunk_square(large, how)[1] == central_square(130, 96)


def adding(n: int = 200) -> Sides:
    total = np.random.default_rng(0).gamma(1.0, 1.0, (n, 12))
    return Sides.of(total, total)


def test_a_network_that_adds_passes_every_measure() -> None:
    both = adding()
    assert additivity_ratio(both) == pytest.approx(1)
    assert r2_adding(both) == pytest.approx(1)
    assert matched_to_norm_matched(both) == pytest.approx(0)


def test_an_averager_and_a_constant_fail_the_measures() -> None:
    averager, constant = adding().averager(), adding().constant()
    assert additivity_ratio(averager) == pytest.approx(0.25)
    assert r2_averaging(averager) == pytest.approx(1)
    assert (r2_adding(averager) or 0) < 0
    assert (matched_to_norm_matched(averager) or 0) > 0.25
    assert r2_adding(constant) is None  # there is no variance to explain
    assert matched_to_mismatched(constant) == pytest.approx(1)


@pytest.mark.parametrize("name", ["loss", "matched_to_mismatched", "matched_to_norm_matched", "additivity_ratio"])
def test_resampling_does_not_shift_a_measure(name: str) -> None:
    """An image that meets itself in a resample would pull the mismatched error down."""
    rng = np.random.default_rng(2)
    whole = rng.gamma(1.0, 1.0, (200, 12))
    found = measure(Sides.of(whole, whole + rng.normal(0, 0.5, whole.shape)))[name]
    low, high = found["interval"]  # type: ignore[misc]
    assert (low + high) / 2 == pytest.approx(found["value"], rel=0.04)


def test_a_measure_comes_with_its_interval_and_its_number_of_images() -> None:
    found = measure(adding().averager())["matched_to_mismatched"]
    low, high = found["interval"]  # type: ignore[misc]
    assert low < found["value"] < high  # type: ignore[operator]
    assert found["n"] == 200


def test_growth_with_area_is_one_for_counts_and_zero_for_averages() -> None:
    areas = np.tile([0.5, 0.7, 1.0], (50, 1))
    size = np.random.default_rng(1).gamma(2.0, 1.0, (50, 1))
    assert growth_exponent(size * areas, areas)["value"] == pytest.approx(1)
    assert growth_exponent(size * np.ones_like(areas), areas)["value"] == pytest.approx(0)
