"""A foreign file becomes a checkpoint: the same answers, its own precision, its preprocessing, and scans of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models.card import Card, Preprocess, first_layer_filters, read_card, read_report
from models.checkpoints import inference
from models.checkpoints import storage as checkpoints
from models.checkpoints.scan_networks import open_for_scan
from models.encoders.vit import VisionTransformer
from models.foreign.convert import BadPreprocess, NonFiniteWeights, WeightsOrigin, check, convert_file
from models.foreign.inspecting import inspect
from models.foreign.mapping import best
from models.foreign.preparations import fixed
from models.foreign.recognise import recognise
from models.foreign.weights import UnreadableWeights
from models.galleries.loading import decode
from models.galleries.packs import Pack
from models.preprocessing import normalise
from models.scans.files import ScanReader
from models.scans.plans import ScanPlan
from models.scans.scanning import scan
from tests.models.foreign.networks import CifarNet, RotNet
from tests.models.packing import pack_of


def saved(path: Path, network: torch.nn.Module, *, dtype: torch.dtype = torch.float32) -> Path:
    """As akamaster's code saves it: wrapped for several GPUs, below state_dict."""
    tensors = {
        f"module.{name}": value.to(dtype) if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    torch.save({"state_dict": tensors, "best_prec1": 91.7}, path)
    return path


def imported(path: Path, folder: Path, preprocess: Preprocess | None = None, **options: bool) -> Card:
    folder.mkdir()
    inspection = inspect(path)
    (candidate,) = inspection.candidates
    found = best(candidate, recognise(candidate, inspection.metadata))
    assert found is not None
    source = WeightsOrigin(path.name, inspection, candidate)
    how = preprocess or found.guess.preprocess[0].preprocess
    return convert_file(path, source, found, how, folder, name=path.stem, **options)


@pytest.fixture(scope="module")
def cifar() -> CifarNet:
    torch.manual_seed(0)
    network = CifarNet(depth=1).eval()
    for name, value in network.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            value.normal_(0.0, 0.3)
    return network


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return pack_of(tmp_path_factory.mktemp("pack"), 6)


@pytest.fixture(scope="module")
def folder(cifar: CifarNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("foreign")
    imported(saved(where / "resnet8.th", cifar), where / "checkpoint")
    return where / "checkpoint"


def test_the_card_says_what_the_file_was(folder: Path) -> None:
    card = read_card(folder)
    assert (card.called, card.dtype, card.task, card.head) == ("ResNet-8 for CIFAR", "fp32", None, None)
    assert card.provenance["stripped"] == ["module."]
    assert card.provenance["file"] == "resnet8.th"
    assert [layer.name for layer in card.layers] == ["conv1", "layer1.0", "layer2.0", "layer3.0", "linear"]
    assert [layer.receptive_field for layer in card.layers] == [3, 7, 13, 25, None]
    report = read_report(folder)
    assert report is not None
    assert report["fits"] is True


def test_a_loaded_checkpoint_answers_as_the_network_of_the_file(folder: Path, cifar: CifarNet) -> None:
    network = checkpoints.load(folder)
    squares = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    shown = normalise(squares.float() / 255, network.card.preprocess)
    with torch.no_grad():
        assert torch.allclose(network.run_trunk(network.trunk_input(squares)), cifar(shown), atol=1e-5)


def test_a_scan_of_it_finds_what_a_loop_finds(folder: Path, pack: Pack, tmp_path: Path) -> None:
    plan = ScanPlan("resnet8", "photos", precision="fp32")
    info = scan(pack, open_for_scan(folder, plan, device="cpu"), tmp_path, plan, tick=lambda _: None)
    assert (info.residual, info.counts, info.trunk.size, info.trunk.resize) == (False, None, 32, 32)
    reader = ScanReader(tmp_path)
    network = checkpoints.load(folder)
    jpeg = pack.jpeg(3)
    for layer in ("layer2.0", "linear"):
        answer = inference.embed(network, jpeg, layer)
        assert np.abs(answer.vector - reader.embedding(layer, 3)).max() < 2e-3
    assert inference.embed(network, jpeg, "linear").crop == (8, 0, 88, 80)  # the central square of 96 x 80
    assert reader.box("layer1.0", 0, 0, width=96, height=80) == (8, 0, 8 + 4 * 2.5, 4 * 2.5)
    assert reader.crop("linear", width=96, height=80) == (8, 0, 88, 80)
    assert reader.embedding("linear", 0).min() < 0  # a classifier has no ReLU
    assert inference.heatmap(network, jpeg, "layer3.0", 1).values.shape == (8, 8)
    assert inference.heatmap(network, jpeg, "linear", 1).values.shape == (1, 1)


@pytest.mark.parametrize(("dtype", "kept"), [(torch.float16, "fp16"), (torch.bfloat16, "bf16")])
def test_weights_keep_the_precision_of_the_file(cifar: CifarNet, dtype: torch.dtype, kept: str, tmp_path: Path) -> None:
    card = imported(saved(tmp_path / "half.pth", cifar, dtype=dtype), tmp_path / "checkpoint")
    assert card.dtype in (kept, "mixed")  # the first layer of bf16 files is kept in fp32, which NumPy can read
    weight = cifar.conv1.weight.detach().to(dtype).float().numpy()
    assert np.array_equal(first_layer_filters(tmp_path / "checkpoint"), weight)
    network = checkpoints.load(tmp_path / "checkpoint")
    linear = network.encoder.get_parameter("linear.weight")
    assert torch.equal(linear, cifar.linear.weight.detach().to(dtype).float())


def test_other_preprocessing_makes_another_checkpoint_and_the_same_the_same(cifar: CifarNet, tmp_path: Path) -> None:
    path = saved(tmp_path / "net.th", cifar)
    one = imported(path, tmp_path / "one")
    again = imported(path, tmp_path / "again")
    other = imported(path, tmp_path / "other", fixed(32, mean=(0.5,) * 3, std=(0.5,) * 3))
    assert one.weights_sha256 == again.weights_sha256 != other.weights_sha256


def test_weights_that_are_not_finite_are_refused_by_name_unless_accepted(tmp_path: Path) -> None:
    network = CifarNet(depth=1)
    with torch.no_grad():
        network.conv1.weight[0, 0, 0, :2] = float("nan")
    path = saved(tmp_path / "nan.th", network)
    with pytest.raises(NonFiniteWeights, match=r"conv1\.weight \(2\)") as refused:
        imported(path, tmp_path / "refused")
    assert refused.value.detail == {"conv1.weight": 2}
    assert list((tmp_path / "refused").iterdir()) == []
    assert imported(path, tmp_path / "accepted", accept_non_finite=True).dtype == "fp32"


def test_impossible_preprocessing_is_refused_in_words(cifar: CifarNet, tmp_path: Path) -> None:
    path = saved(tmp_path / "net.th", cifar)
    with pytest.raises(BadPreprocess, match="1 x 32 x 32"):
        imported(path, tmp_path / "gray", fixed(32, colour="gray", mean=(0.5,), std=(0.5,)))
    with pytest.raises(BadPreprocess, match="3 channels"):
        check(fixed(32, mean=(0.5,), std=(0.5,)))
    with pytest.raises(BadPreprocess, match="above 0"):
        check(fixed(32, std=(1.0, 0.0, 1.0)))
    with pytest.raises(BadPreprocess, match="8 to 1024"):
        check(fixed(4000))
    with pytest.raises(BadPreprocess, match="at least the 32 px"):
        check(replace(fixed(32), resize=16))


def test_an_input_that_the_classifier_was_not_made_for_leaves_it_out(tmp_path: Path) -> None:
    path = saved(tmp_path / "rotnet.pth", RotNet().eval())
    whole = imported(path, tmp_path / "whole")
    small = imported(path, tmp_path / "small", fixed(120))
    assert [layer.name for layer in whole.layers][-3:] == ["fc6", "fc7", "fc8"]
    assert [layer.name for layer in small.layers][-1] == "conv5"


def test_the_patches_of_a_transformer_are_a_map(pack: Pack, tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = VisionTransformer(width=64, depth=2, heads=1, hidden=64, patch=8, grid=4, registers=2).eval()
    for token in (source.cls_token, source.pos_embed):
        torch.nn.init.normal_(token)
    card = imported(saved(tmp_path / "vit.pth", source), tmp_path / "checkpoint")
    assert [(layer.name, layer.kind, layer.receptive_field) for layer in card.layers] == [
        ("patch_embed.proj", "conv", 8),
        ("blocks.0", "conv", None),
        ("blocks.1", "conv", None),
        ("norm", "fc", None),
    ]
    network = checkpoints.load(tmp_path / "checkpoint")
    squares = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    shown = network.trunk_input(squares)
    with network.hooks(["blocks.1", "norm"]) as seen:
        answer = network.run_trunk(shown)
    with torch.no_grad():
        first = source.cls_token.expand(2, -1, -1) + source.pos_embed[:, :1]
        patches = source.patch_embed(shown).flatten(2).transpose(1, 2) + source.pos_embed[:, 1:]
        tokens = torch.cat([first, source.register_tokens.expand(2, -1, -1), patches], dim=1)  # type: ignore[union-attr]
        for block in source.blocks:
            tokens = block(tokens)
    assert torch.allclose(seen["norm"], answer)  # the class token is what the network answers
    assert seen["blocks.1"].shape == (2, 64, 4, 4)
    assert torch.allclose(seen["blocks.1"][0, :, 1, 2], tokens[0, 3 + 4 + 2], atol=1e-5)
    plan = ScanPlan("vit", "photos", precision="fp32")
    scan(pack, open_for_scan(tmp_path / "checkpoint", plan, device="cpu"), tmp_path / "scan", plan, tick=lambda _: None)
    reader = ScanReader(tmp_path / "scan")
    assert reader.info.pooling == "mean over the map"
    assert reader.box("blocks.1", 2, 3, width=96, height=80) == reader.crop("norm", width=96, height=80)
    pooled = inference.embed(network, pack.jpeg(2), "blocks.1").vector
    assert np.abs(pooled - reader.embedding("blocks.1", 2)).max() < 2e-3


def test_filters_alone_are_kept_and_show_nothing(tmp_path: Path) -> None:
    filters: Tensor = torch.randn(6, 3, 5, 5)
    torch.save({"stem.weight": filters, "unheard.of": torch.zeros(4, 4)}, tmp_path / "odd.pth")
    card = imported(tmp_path / "odd.pth", tmp_path / "checkpoint")
    assert card.filters_only
    assert np.array_equal(first_layer_filters(tmp_path / "checkpoint"), filters.numpy())
    network = checkpoints.load(tmp_path / "checkpoint")
    with pytest.raises(inference.BadQuestion, match="Only the filters"):
        inference.embed(network, b"", "stem")
    with pytest.raises(ValueError, match="cannot look at images"):
        network.run_trunk(torch.zeros(1, 3, 8, 8))


def test_the_whole_photo_is_shown_to_a_network_for_tiny_pictures(folder: Path, pack: Pack) -> None:
    image = decode(pack.jpeg(0))
    network = checkpoints.load(folder)
    assert network.trunk_input(torch.zeros(1, 3, 32, 32, dtype=torch.uint8)).shape == (1, 3, 32, 32)
    assert image.shape[1:] == (80, 96)


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.uint8, torch.float8_e4m3fn])
@pytest.mark.parametrize("which", ["all", "one"])
def test_weights_that_are_no_floating_point_numbers_of_ours_fit_nowhere(
    tmp_path: Path, cifar: CifarNet, dtype: torch.dtype, which: str
) -> None:
    state = {
        name: value.to(dtype) if value.ndim > 1 and (which == "all" or name == "conv1.weight") else value
        for name, value in cifar.state_dict().items()
    }
    torch.save(state, tmp_path / "net.pth")
    inspection = inspect(tmp_path / "net.pth")
    (candidate,) = inspection.candidates
    found = best(candidate, recognise(candidate, inspection.metadata))
    assert found is not None and not found.fits
    assert any("weights are float32, float16, bfloat16 or float64" in item.sentence for item in found.wrong)
    with pytest.raises(UnreadableWeights, match=r"weight`? is \w+; weights are float32") as refused:
        imported(tmp_path / "net.pth", tmp_path / "out")
    assert refused.value.code == "unsupported_dtype"
    assert not (tmp_path / "out" / "checkpoint.json").exists()
