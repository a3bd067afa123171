"""Features keep their sizes and their network frozen; classifiers find what is there and nothing else."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from models.card import Card, Preprocess
from models.encoders import layers
from models.encoders.alexnet import AlexNet
from models.galleries.loading import decode_rows
from models.probes.bench import ProbeBench, ProbeReports, measure
from models.probes.feature_sources import (
    LayerFeatures,
    NetworkFeatures,
    PictureFeatures,
    ProbeCrops,
    probe_crops,
    random_twin,
)
from models.probes.features import Moments, StoredLayer, extract
from models.probes.linear import LinearProbe, loss_of, train
from models.probes.protocol import Protocol, cells, rate, short_for, side_for
from tests.models.packing import pack_of

PAPER = {"conv1": 9600, "conv2": 9216, "conv3": 9600, "conv4": 9600, "conv5": 9216}


def card(widths: tuple[int, ...] = (8, 8, 8, 8, 8)) -> Card:
    how = Preprocess(crop=64, region=72, size=32, trunk_size=None, normalise="per_crop")
    encoder = {"widths": widths}
    found = layers(AlexNet(widths=widths))
    return Card("tiny", "alexnet", encoder, None, None, None, {}, found, how, "", "fp32")


def shown(count: int, side: int) -> ProbeCrops:
    rng = np.random.default_rng(0)
    images = [torch.from_numpy(rng.integers(0, 256, (3, side, side), dtype=np.uint8)) for _ in range(count)]
    return ProbeCrops(torch.stack(images), images)


def reports() -> ProbeReports:
    return ProbeReports(lambda _: None, lambda *_: None)


def test_features_at_227_px_have_the_papers_sizes() -> None:
    """Check T1 of the method's own table."""
    known = card(widths=(96, 256, 384, 384, 256))
    layers = NetworkFeatures(random_twin(known, 0, "cpu"), list(PAPER)).features(shown(1, 227))
    assert {name: look.maps[0].numel() for name, look in layers.items()} == PAPER
    assert [look.means.shape[1] for look in layers.values()] == [96, 256, 384, 384, 256]


def test_a_small_map_is_not_blown_up_and_wide_layers_stay_near_9000() -> None:
    assert [cells(channels, 55) for channels in (64, 192, 512, 2048)] == [12, 7, 4, 2]
    assert cells(96, 6) == 6


def test_the_crop_is_the_papers_share_of_the_image() -> None:
    assert (side_for(256), side_for(500), side_for(160)) == (227, 227, 142)
    assert (short_for(227), short_for(142)) == (256, 160)


def test_the_rate_drops_where_the_papers_does() -> None:
    steps = [rate(step, 140) for step in (0, 39, 40, 79, 80, 119, 120, 139)]
    assert steps == pytest.approx([0.01, 0.01, 1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5])


def test_the_first_view_is_the_middle_and_others_are_drawn_once_for_all() -> None:
    image = torch.arange(160 * 160, dtype=torch.int32).remainder(256).to(torch.uint8).view(1, 160, 160).repeat(3, 1, 1)
    middle = probe_crops([image], [5], 0, 142).squares[0]
    assert torch.equal(middle, image[:, 9:151, 9:151])
    one, same, other = (probe_crops([image], [row], 1, 142).squares for row in (5, 5, 6))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_normalising_inside_the_linear_map_is_normalising_first() -> None:
    rng = torch.Generator().manual_seed(0)
    layout = StoredLayer("layer", 3, 4, 3, 1.0)
    maps = torch.randn(50, 12, generator=rng) * 3 + 2
    moments = Moments([layout])
    moments.add("layer", maps.view(50, 3, 4))
    probe = LinearProbe(layout, moments.of("layer"), 5, rng)
    norm = torch.nn.BatchNorm1d(3, affine=False)
    expected = norm(maps.view(50, 3, 4)).flatten(1) @ probe.weight.T + probe.bias
    assert torch.allclose(probe(maps), expected, atol=1e-4)


def test_ignored_classes_cost_nothing_and_teach_nothing() -> None:
    scores = torch.zeros(1, 3, requires_grad=True)
    loss = loss_of(scores, torch.tensor([[1, 0, -1]]), several=True)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(2 * np.log(2))
    assert scores.grad is not None and scores.grad[0].tolist() == [-0.5, 0.5, 0.0]


class Seer:
    """An eye that sees each image's class in one layer, and noise in another."""

    def __init__(self) -> None:
        self.looked = 0

    def features(self, batch: ProbeCrops) -> Mapping[str, LayerFeatures]:
        self.looked += len(batch.squares)
        bright = batch.squares.float().mean(dim=(1, 2, 3)) / 255
        rng = torch.Generator().manual_seed(self.looked)
        clear = torch.stack([bright > 0.5, bright <= 0.5], dim=1).float()
        noise = torch.randn(len(bright), 2, generator=rng)
        return {
            name: LayerFeatures(values[:, :, None], values) for name, values in (("clear", clear), ("noise", noise))
        }

    def trunk_hash(self) -> str:
        return "none"


def bright_rows(tmp_path: Path) -> tuple[ProbeBench, Seer]:
    """Forty photos, called after the brightness of their middle."""
    scratch = pack_of(tmp_path / "look", 48)
    means = [
        probe_crops([image], [row], 0, 64).squares.float().mean().item()
        for row, image in decode_rows(scratch, range(48))
    ]

    def label(row: int) -> str:
        return "bright" if means[row] / 255 > 0.5 else "dark"

    pack = pack_of(tmp_path / "pack", 48, label=label, split=lambda row: "test" if row >= 32 else "train")
    protocol = Protocol(side=64, views=1, steps=60, k=3, batch=16)
    bench = ProbeBench.open(
        pack, "g", protocol, device="cpu", place=tmp_path / "out", state=tmp_path / "state", reports=reports()
    )
    return bench, Seer()


def test_what_can_be_told_apart_is_and_noise_is_not(tmp_path: Path) -> None:
    bench, eye = bright_rows(tmp_path)
    found, outcomes = measure(bench, eye, "row", "row")
    clear, noise = found.layer("clear"), found.layer("noise")
    assert clear is not None and noise is not None
    assert clear.linear.value == clear.knn.value == 1.0 and clear.linear.spread == 0.0
    assert clear.linear.n == 16 and clear.linear.low == pytest.approx(0.806, abs=0.001)  # Wilson, 16 of 16
    assert noise.linear.value < 1.0
    assert outcomes["linear/noise"].shape == (3, 16) and outcomes["knn/noise"].shape == (1, 16)


def test_images_are_read_once_for_all_layers_and_seeds(tmp_path: Path) -> None:
    bench, eye = bright_rows(tmp_path)
    measure(bench, eye, "row", "row")
    assert eye.looked == 48
    assert not (tmp_path / "state" / "row").exists(), "features are not left behind"


def test_the_trunk_is_the_same_before_and_after(tmp_path: Path) -> None:
    """Check T2: weights and batch-norm statistics; a forward pass in training mode would change the latter."""
    network = random_twin(card(), 0, "cpu")
    network.encoder.append(torch.nn.BatchNorm2d(8)).eval()
    eye = NetworkFeatures(network, ["conv1", "conv5"])
    before = eye.trunk_hash()
    bench, _ = bright_rows(tmp_path)
    found, _ = measure(bench, eye, "row", "row")
    assert found.before == found.after == before == eye.trunk_hash()
    network.encoder.train()
    network.encoder(torch.randn(2, 3, 64, 64))
    assert eye.trunk_hash() != before


def test_a_twin_depends_on_its_seed_only() -> None:
    first, same, other = (NetworkFeatures(random_twin(card(), seed, "cpu"), []).trunk_hash() for seed in (0, 0, 1))
    assert first == same != other


def test_pictures_have_their_dimensions_and_see_what_a_network_sees() -> None:
    layers = PictureFeatures().features(shown(2, 142))
    assert {name: look.maps[0].numel() for name, look in layers.items()} == {
        "pixels": 9075,
        "colours": 256,
        "hog": 9216,
    }
    assert {name: look.means.shape[1] for name, look in layers.items()} == {"pixels": 768, "colours": 256, "hog": 9216}


def test_an_interrupted_look_goes_on_after_its_last_shard(tmp_path: Path) -> None:
    bench, eye = bright_rows(tmp_path)
    whole = extract(bench.pack, bench.rows, eye, tmp_path / "a", side=64, views=1, tick=lambda _: None)
    again = Seer()
    resumed = extract(bench.pack, bench.rows, again, tmp_path / "a", side=64, views=1, tick=lambda _: None)
    assert again.looked == 0
    assert np.array_equal(whole.means("clear")[1], resumed.means("clear")[1])
    assert torch.equal(whole.moments.of("clear")[0], resumed.moments.of("clear")[0])


def test_the_same_seed_trains_the_same_classifier(tmp_path: Path) -> None:
    bench, eye = bright_rows(tmp_path)
    features = extract(bench.pack, bench.rows, eye, tmp_path / "a", side=64, views=1, tick=lambda _: None)

    def scores(seed: int) -> np.ndarray:  # type: ignore[type-arg]
        present = bench.rows.train_present
        found = train(features, present, bench.protocol, several=False, seed=seed, device="cpu", tick=lambda *_: None)
        return found["noise"]

    assert np.array_equal(scores(1), scores(1)) and not np.array_equal(scores(1), scores(2))
