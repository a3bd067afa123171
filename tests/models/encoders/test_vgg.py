"""VGG16 as a teacher: its geometry, the start that lets it learn, and a checkpoint that everything else can open."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models.card import first_layer_filters, write_card
from models.checkpoints import storage as checkpoints
from models.checkpoints.exporting import export
from models.checkpoints.scan_networks import open_for_scan
from models.encoders import layers
from models.encoders.vgg import VGG16
from models.filters.measures import measure
from models.probes.feature_sources import NetworkFeatures, ProbeCrops
from models.recipes import build_config
from models.recipes.base import BadConfig
from models.scans.files import ScanReader
from models.scans.plans import ScanPlan
from models.scans.scanning import scan
from models.seeds import generator
from models.tasks.jigsaw_pp import JigsawPP
from tests.models.packing import pack_of

VGG = {"network": "vgg16", "width": 0.125, "norm": "batch"}
TINY = {**VGG, "crop": 108, "region": 108, "tile": 32, "tile_hidden": 8, "hidden": 8, "permutations": 6}
CONVOLUTIONS = [
    f"conv{block}_{place}" for block, last in ((1, 2), (2, 2), (3, 3), (4, 3)) for place in range(1, last + 1)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("vgg") / "teacher"
    where.mkdir()
    task = JigsawPP.build(build_config("jigsaw_pp", "small", TINY), generator(0))  # type: ignore[arg-type]
    card = checkpoints.describe(task, name="teacher", recipe="small", config=asdict(task.config))
    sha256 = checkpoints.save_weights(where, task.encoder, task.head)
    write_card(where, replace(card, weights_sha256=sha256, dtype="fp16"))
    return where


def test_its_thirteen_convolutions_have_the_papers_weights_and_an_eighth_of_the_width_a_64th_of_them() -> None:
    """14,714,688 weights and biases are in all descriptions of VGG16; fields of view are 5, 14, 40, 92, 196."""
    with torch.device("meta"):
        whole, narrow = VGG16(), VGG16(width=0.125)
    assert sum(value.numel() for value in whole.parameters()) == 14_714_688
    found = {layer.name: layer for layer in layers(whole)}
    assert len(found) == 13
    last = [found[f"conv{name}"] for name in ("1_2", "2_2", "3_3", "4_3", "5_3")]
    assert [(layer.units, layer.stride, layer.receptive_field) for layer in last] == [
        (64, 1, 5),
        (128, 2, 14),
        (256, 4, 40),
        (512, 8, 92),
        (512, 16, 196),
    ]
    assert [layer.units for layer in layers(narrow)] == [layer.units // 8 for layer in found.values()]


def test_a_tile_of_64_px_ends_in_the_papers_8192_numbers_for_fc6() -> None:
    config = build_config("jigsaw_pp", "paper", {"network": "vgg16", "norm": "none", "hidden": 8})
    with torch.device("meta"):
        encoder = VGG16(**config.backbone[1])  # type: ignore[attr-defined]
        maps = encoder(torch.zeros(9, 3, 64, 64))
    assert maps.shape == (9, 512, 8, 8)
    task = JigsawPP.build(replace(config, width=0.125), generator(0))  # type: ignore[arg-type]
    assert task.head.fc6[0].weight.shape == (1024, 64 * 16)
    pooled = task.head.pool(torch.arange(64.0).view(1, 1, 8, 8))
    assert pooled.flatten().tolist()[:5] == [9, 11, 13, 15, 25]  # the largest of each 2 x 2


@pytest.mark.parametrize(("start", "learns"), [("he", True), ("gaussian", False)])
def test_the_trunk_passes_signals_on_only_from_hes_start(start: str, learns: bool) -> None:
    """The trap: with N(0, .01) everywhere, and no batch norm, fc7's answers hardly differ between puzzles."""
    config = build_config("jigsaw_pp", "small", {**TINY, "norm": "none"})
    task = JigsawPP.build(config, generator(0))  # type: ignore[arg-type]
    if start == "gaussian":
        for part in task.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                nn.init.normal_(part.weight, std=0.01, generator=generator(1))
    images = torch.randint(0, 256, (4, 3, 108, 108), generator=generator(2), dtype=torch.uint8)
    with torch.no_grad():
        maps = task.encoder(task.views(images, generator(3)).inputs.flatten(0, 1))
    assert (float(maps.std()) > 0.1) is learns
    assert float(task.head.top.weight.std()) == pytest.approx(0.001 if start == "he" else 0.01, rel=0.3)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"network": "vgg16", "norm": "lrn"}, "norm must be none or batch with network vgg16"),
        ({**VGG, "tile": 31}, "tile must be at least 32 px with network vgg16"),
        ({"width": 0.5}, "width is a share of vgg16's channels, got 0.5 with network alexnet"),
        ({"network": "vgg19"}, "network must be one of alexnet, vgg16"),
    ],
)
def test_what_it_cannot_be_is_said(overrides: dict[str, object], words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        build_config("jigsaw_pp", "small", overrides)


def test_its_checkpoint_is_scanned_probed_exported_and_its_first_filters_are_measured(
    folder: Path, tmp_path: Path
) -> None:
    task = checkpoints.load_task(folder)
    network = checkpoints.load(folder)
    assert [layer.name for layer in network.card.layers] == CONVOLUTIONS
    images = torch.randint(0, 256, (2, 3, 108, 108), generator=generator(4), dtype=torch.uint8)
    with torch.no_grad():
        assert task(task.views(images, generator(5)).inputs).shape == (2, 6)
    filters = first_layer_filters(folder)
    assert filters.shape == (8, 3, 3, 3)
    assert np.isfinite(measure(filters).medians()["tv_ratio"])
    with pack_of(tmp_path / "pack", 5) as pack:
        plan = ScanPlan("teacher", "photos", layers=("conv1_1", "conv4_3"), precision="fp32")
        scan(pack, open_for_scan(folder, plan, device="cpu"), tmp_path / "scan", plan, tick=lambda _: None)
    scanned = ScanReader(tmp_path / "scan")
    assert [layer.name for layer in scanned.info.layers] == ["conv1_1", "conv4_3"]
    look = NetworkFeatures(network, ["conv4_3"]).features(ProbeCrops(images, list(images)))["conv4_3"]
    assert look.maps.shape[:2] == (2, 64)
    assert export(folder, "pth").difference == 0
