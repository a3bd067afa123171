"""What a network says of one image is what a scan and the equation say of it."""

import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.card import write_card
from models.checkpoints import inference
from models.checkpoints import storage as checkpoints
from models.counting.equation import stack
from models.galleries.images import store_image
from models.galleries.loading import decode
from models.network import Network
from models.recipes.counting import CountingConfig
from models.resampling import fit_square
from models.tasks.counting import Counting

CONFIG = CountingConfig(crop=64, region=72, stride=2, hidden=16, units=8)


def photo(width: int, height: int, seed: int = 0) -> bytes:
    """Smooth noise as PNG bytes."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (9, 12, 3), dtype=np.uint8))
    sink = io.BytesIO()
    small.resize((width, height), Image.Resampling.BICUBIC).save(sink, "PNG")
    return sink.getvalue()


def write_checkpoint(folder: Path, *, seed: int = 0) -> None:
    """An untrained counting network."""
    task = Counting.build(CONFIG, torch.Generator().manual_seed(seed))
    folder.mkdir(parents=True, exist_ok=True)
    sha256 = checkpoints.save_weights(folder, task.encoder, task.head)
    card = checkpoints.describe(task, name="tiny", recipe=None, config={})
    write_card(folder, replace(card, weights_sha256=sha256, dtype="fp16"))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(folder)
    yield checkpoints.load(folder)


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    return store_image(photo(120, 90)).jpeg


def test_the_count_is_phi_of_the_downscaled_crop_and_of_its_four_tiles(network: Network, jpeg: bytes) -> None:
    answer = inference.count(network, jpeg)
    x0, y0, x1, y1 = (int(edge) for edge in answer.crop)
    assert (x1 - x0, y1 - y0) == (80, 80)  # 64 of 72 of the central 90 px
    crop = fit_square(decode(jpeg)[:, y0:y1, x0:x1], 64)
    shown = stack(crop[None].float() / 255, "area")
    phi = network.run_counts(shown[0])
    assert answer.whole == pytest.approx(phi[0].numpy(), abs=1e-4)
    assert answer.tiles == pytest.approx(phi[1:].numpy(), abs=1e-4)
    assert answer.total == pytest.approx(answer.tiles.sum(axis=0), abs=1e-5)
    assert answer.squared == pytest.approx(float(((answer.whole - answer.total) ** 2).sum()), rel=1e-4)


def test_every_kernel_gives_the_same_tiles_and_its_own_whole(network: Network, jpeg: bytes) -> None:
    answers = [inference.count(network, jpeg, kernel) for kernel in ("area", "linear", "cubic", "lanczos")]
    for answer in answers[1:]:
        assert np.array_equal(answer.tiles, answers[0].tiles)
        assert not np.allclose(answer.whole, answers[0].whole, atol=1e-5)


def test_a_box_is_counted_as_drawn_and_clipped_to_the_image(network: Network, jpeg: bytes) -> None:
    assert inference.count(network, jpeg, box=(10, 10, 74, 74)).crop == (10, 10, 74, 74)
    assert not inference.count(network, jpeg, box=(10, 10, 74, 74)).enlarged
    assert inference.count(network, jpeg, box=(-50, -50, 40, 40)).crop == (0, 0, 40, 40)
    assert inference.count(network, jpeg, box=(0, 0, 40, 40)).enlarged


@pytest.mark.parametrize("box", [(200.0, 0.0, 240.0, 40.0), (5.0, 5.0, 5.2, 5.2)])
def test_a_box_off_the_image_is_refused_in_words(network: Network, jpeg: bytes, box: tuple[float, ...]) -> None:
    with pytest.raises(inference.BadQuestion, match="less than a pixel"):
        inference.count(network, jpeg, box=box)  # type: ignore[arg-type]


def test_unknown_layers_units_and_kernels_are_refused_in_words(network: Network, jpeg: bytes) -> None:
    with pytest.raises(inference.BadQuestion, match="no layer 'conv9'"):
        inference.embed(network, jpeg, "conv9")
    with pytest.raises(inference.BadQuestion, match="units 0 to 255"):
        inference.heatmap(network, jpeg, "conv5", 256)
    with pytest.raises(inference.BadQuestion, match="kernel must be one of"):
        inference.count(network, jpeg, "nearest")


def test_an_embedding_is_the_mean_of_the_units_maps(network: Network, jpeg: bytes) -> None:
    vector = inference.embed(network, jpeg, "conv3").vector
    for unit in (0, 100, 383):
        assert vector[unit] == pytest.approx(inference.heatmap(network, jpeg, "conv3", unit).values.mean(), rel=2e-3)


def test_the_conv_trunk_sees_the_native_central_square(network: Network, jpeg: bytes) -> None:
    heat = inference.heatmap(network, jpeg, "conv1", 0)
    assert heat.crop == (15, 0, 105, 90)
    assert heat.values.shape == (40, 40)
    assert inference.embed(network, jpeg, "conv1", (20, 20, 60, 80)).crop == (20, 30, 60, 70)


def test_the_counts_layer_is_the_whole_of_the_equation(network: Network, jpeg: bytes) -> None:
    assert np.allclose(inference.embed(network, jpeg, "counts").vector, inference.count(network, jpeg).whole, atol=1e-5)
    assert inference.heatmap(network, jpeg, "counts", 3).values.shape == (1, 1)


def test_no_hook_is_left_behind(network: Network, jpeg: bytes) -> None:
    inference.embed(network, jpeg, "conv2")
    inference.embed(network, jpeg, "fc6")
    modules = [*network.encoder.modules(), *(network.head.modules() if network.head is not None else [])]
    assert not any(module._forward_hooks for module in modules)


def test_nested_crops_contain_each_other_and_cover_their_share(network: Network, jpeg: bytes) -> None:
    points = inference.magnitude_curve(network, jpeg, (0.5, 0.75, 1.0))
    assert [point.area for point in points] == [0.5, 0.75, 1.0]
    assert points[2].box == (15, 0, 105, 90)
    for small, large in pairwise(points):
        assert large.box[0] <= small.box[0] < small.box[2] <= large.box[2]
    for point in points:
        side = point.box[2] - point.box[0]
        assert side * side / 90**2 == pytest.approx(point.area, abs=0.02)
        whole = inference.count(network, jpeg, box=point.box).whole
        assert point.norm == pytest.approx(float(np.linalg.norm(whole)), rel=1e-3)
        assert point.total == pytest.approx(float(whole.sum()), rel=1e-3)
    with pytest.raises(inference.BadQuestion):
        inference.magnitude_curve(network, jpeg, (0.0,))


def test_a_tiny_image_is_enlarged_and_says_so(network: Network) -> None:
    pixel = store_image(photo(1, 1)).jpeg
    assert inference.count(network, pixel).enlarged
    assert np.isfinite(inference.embed(network, pixel, "conv5").vector).all()
