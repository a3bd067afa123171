"""The scan against a loop over single images; stopped, resumed and extended scans; boxes against gradients."""

import json
import shutil
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch

from models.card import Card, Preprocess, write_card
from models.checkpoints import storage as checkpoints
from models.checkpoints.scan_networks import open_for_scan
from models.counting.equation import count_crops
from models.crops import count_view, trunk_square
from models.encoders import AlexNet, layers
from models.encoders.receptive_field import reach
from models.galleries.images import store_image
from models.galleries.loading import decode
from models.galleries.packs import Pack, PackRow, Shard, write_manifest, write_shard
from models.network import Network
from models.recipes import build_config
from models.scans.effective_fields import answers, steps_to
from models.scans.files import ScanReader, ScanUnreadable, ScanWriter, covers_start
from models.scans.geometry import Trunk, receptive_box
from models.scans.maxima import storable
from models.scans.plans import BadPlan, ScanPlan
from models.scans.scanning import scan
from models.scans.unit_tables import UnitTable
from models.tasks.counting import Counting
from tests.making import CHANNELS, TINY, photo

SIZES = [(72, 64), (64, 80), (72, 64), (66, 66), (72, 64), (40, 60)]


class Halt(Exception):
    """Stops a scan as a signal does."""


def record(index: int) -> tuple[PackRow, object]:
    buffer = BytesIO()
    photo(index, *SIZES[index % len(SIZES)]).save(buffer, "JPEG", quality=90)
    stored = store_image(buffer.getvalue())
    size = (stored.width, stored.height, stored.jpeg_width, stored.jpeg_height)
    return PackRow(f"{index}.jpg", None, None, None, None, *size, stored.sha256), stored


def shard(folder: Path, index: int, rows: range) -> Shard:
    return write_shard(folder, index, (record(row) for row in rows))  # type: ignore[misc]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pack]:
    folder = tmp_path_factory.mktemp("pack")
    write_manifest(folder, [shard(folder, 0, range(4)), shard(folder, 1, range(4, 7))])
    with Pack.open(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("counting")
    config = build_config("counting", "small", TINY)
    task = Counting.build(config, torch.Generator().manual_seed(3))
    card = checkpoints.describe(task, name="tiny", recipe="small", config=asdict(config))
    sha256 = checkpoints.save_weights(folder, task.encoder, task.head)
    write_card(folder, replace(card, weights_sha256=sha256, dtype="fp16"))
    return folder


@pytest.fixture(scope="module")
def scanned(pack: Pack, counting: Path, tmp_path_factory: pytest.TempPathFactory) -> ScanReader:
    folder = tmp_path_factory.mktemp("scan")
    run(pack, counting, folder)
    return ScanReader(folder)


def plan(**changes: object) -> ScanPlan:
    return replace(ScanPlan("tiny", "photos", precision="fp32"), **changes)  # type: ignore[arg-type]


def run(pack: Pack, checkpoint: Path, folder: Path, *, stop_at: int | None = None, **changes: object) -> list[int]:
    seen: list[int] = []

    def tick(done: int) -> None:
        seen.append(done)
        if done == stop_at:
            raise Halt

    wanted = plan(**changes).extending(folder)
    scan(pack, open_for_scan(checkpoint, wanted, device="cpu"), folder, wanted, tick=tick)
    return seen


def same(one: UnitTable, two: UnitTable) -> bool:
    names = ("values", "rows", "ys", "xs", "maximum", "active", "histogram")
    return all(np.array_equal(getattr(one, name), getattr(two, name)) for name in names)


def maps_of(network: Network, jpeg: bytes, names: list[str]) -> dict[str, torch.Tensor]:
    square = trunk_square(decode(jpeg), network.card.preprocess)[0]
    with network.hooks(names) as seen:
        network.run_trunk(network.trunk_input(square[None]))
    return {name: seen[name][0] for name in names}


def test_a_scan_is_what_a_loop_over_single_images_finds(pack: Pack, counting: Path, scanned: ScanReader) -> None:
    network = checkpoints.load(counting)
    names = [layer.name for layer in network.card.trunk_layers]
    found = [maps_of(network, pack.jpeg(row), names) for row in range(len(pack))]
    for name in names:
        table, pooled = scanned.units(name), scanned.embeddings(name)
        maxima = np.array([maps[name].amax(dim=(1, 2)).numpy() for maps in found])
        assert np.allclose(table.values, -np.sort(-maxima, axis=0).T[:, : table.values.shape[1]], atol=1e-4)
        assert np.allclose(pooled, [maps[name].mean(dim=(1, 2)).numpy() for maps in found], rtol=2e-3, atol=1e-4)
        for unit in range(0, table.units, 17):
            for rank in range(3):
                row, y, x = (int(part[unit, rank]) for part in (table.rows, table.ys, table.xs))
                assert abs(float(found[row][name][unit, y, x]) - table.values[unit, rank]) < 1e-4


def test_count_vectors_and_equations_are_those_of_each_image_alone(
    pack: Pack, counting: Path, scanned: ScanReader
) -> None:
    network = checkpoints.load(counting)
    crops = [count_view(decode(pack.jpeg(row)), network.card.preprocess)[0] for row in range(len(pack))]
    alone = [count_crops(network, crop[None]) for crop in crops]
    equations = scanned.equation
    assert equations is not None
    assert np.allclose(equations.whole, [one.whole[0].numpy() for one in alone], atol=1e-4)
    assert np.allclose(equations.total, [one.total[0].numpy() for one in alone], atol=1e-4)
    assert np.array_equal(scanned.embeddings("counts"), equations.whole)
    assert scanned.embedding_dtype("counts") == np.float32 and scanned.embedding_dtype("conv5") == np.float16


def test_layers_come_in_forward_order_with_the_counts_last(scanned: ScanReader) -> None:
    assert scanned.layers == ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "counts")
    assert scanned.units("fc6").ys.max() == -1


def test_one_row_is_a_row_of_the_whole(scanned: ScanReader) -> None:
    whole = scanned.embeddings("conv3")
    assert all(np.array_equal(scanned.embedding("conv3", row), whole[row]) for row in (0, 3, 4, 6))
    with pytest.raises(IndexError):
        scanned.embedding("conv3", 7)


def test_a_stopped_scan_goes_on_after_its_finished_shards_and_ends_the_same(
    pack: Pack, counting: Path, scanned: ScanReader, tmp_path: Path
) -> None:
    with pytest.raises(Halt):
        run(pack, counting, tmp_path, stop_at=6)
    with pytest.raises(ScanUnreadable):
        ScanReader(tmp_path)
    assert run(pack, counting, tmp_path)[0] == 4
    resumed = ScanReader(tmp_path)
    for name in scanned.layers:
        assert same(resumed.units(name), scanned.units(name)), name
        assert np.array_equal(resumed.embeddings(name), scanned.embeddings(name)), name


def test_an_extended_scan_equals_a_new_one_and_reads_only_the_new_shard(
    pack: Pack, counting: Path, scanned: ScanReader, tmp_path: Path
) -> None:
    start = Pack(pack.folder, pack.shards[:1])
    run(start, counting, tmp_path)
    early = ScanReader(tmp_path)
    assert covers_start(early.info, pack.shards) and early.rows == 4
    # "auto" takes the precision it began with; only the rows of the new shard are read
    assert sorted(set(run(pack, counting, tmp_path, precision="auto"))) == [4, 5, 6, 7]
    extended = ScanReader(tmp_path)
    assert extended.info.precision == "fp32"
    assert all(same(extended.units(name), scanned.units(name)) for name in scanned.layers)
    with pytest.raises(ScanUnreadable, match="extended"):
        early.units("conv1")


def test_shards_scanned_in_another_way_are_not_taken_over(pack: Pack, counting: Path, tmp_path: Path) -> None:
    run(pack, counting, tmp_path, layers=("conv1",))
    assert run(pack, counting, tmp_path, layers=("conv1", "conv2"))[0] == 0


def test_chosen_layers_only(pack: Pack, counting: Path, tmp_path: Path) -> None:
    run(pack, counting, tmp_path, layers=("conv2",), top=3)
    reader = ScanReader(tmp_path)
    assert reader.layers == ("conv2",) and reader.equation is None and reader.info.counts is None
    assert reader.units("conv2").values.shape[1] == 3


def test_without_the_residual_count_vectors_are_the_same(
    pack: Pack, counting: Path, scanned: ScanReader, tmp_path: Path
) -> None:
    run(pack, counting, tmp_path, layers=("counts",), residual=False)
    reader = ScanReader(tmp_path)
    assert reader.equation is None
    assert np.allclose(reader.embeddings("counts"), scanned.embeddings("counts"), atol=1e-5)


def test_an_unknown_layer_is_told_with_those_there_are(pack: Pack, counting: Path, tmp_path: Path) -> None:
    with pytest.raises(BadPlan, match=r"conv9.*conv1, conv2"):
        run(pack, counting, tmp_path, layers=("conv9",))


def test_no_hook_outlives_a_pass(counting: Path) -> None:
    networks = open_for_scan(counting, plan(), device="cpu")
    networks.trunk_numbers(torch.zeros(1, 3, 80, 80, dtype=torch.uint8))
    assert not any(module._forward_hooks for module in networks.trunk.encoder.modules())


def test_a_network_without_a_counting_head_has_no_residual(pack: Pack, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    built = {"widths": [8] * 5, "padding": 2, "ceil_mode": False}
    encoder = AlexNet(**built)
    how = Preprocess(144, 160, 72, 96, "mean_std", (0.5,) * 3, (0.25,) * 3)
    sha256 = checkpoints.save_weights(bare, encoder, None)
    card = Card("bare", "alexnet", built, None, None, None, {}, layers(encoder), how, sha256, "fp16")
    write_card(bare, card)
    with pytest.raises(BadPlan, match="no counting head"):
        run(pack, bare, tmp_path / "scan", residual=True)
    run(pack, bare, tmp_path / "scan", layers=("conv1", "conv5"))
    reader = ScanReader(tmp_path / "scan")
    assert reader.equation is None and reader.info.trunk.size == 96
    assert reader.crop("conv5", width=100, height=120) == (2, 12, 98, 108)


@pytest.mark.parametrize("size", [(72, 64), (83, 75), (40, 60)])
def test_boxes_are_exactly_the_pixels_that_have_a_gradient(
    counting: Path, scanned: ScanReader, size: tuple[int, int]
) -> None:
    width, height = size
    encoder = checkpoints.load(counting).encoder
    info = scanned.info
    left, top, right, bottom = info.trunk.box(width, height)
    side = info.trunk.side(width, height)
    scale = (right - left) / side
    trunk = replace(info.trunk, reach=_reach(encoder, scanned, side))
    for module in encoder.modules():  # weights that cannot cancel, and pools that let every pixel through
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.constant_(module.weight, 0.01)
            torch.nn.init.constant_(module.bias, 0.01)  # type: ignore[arg-type]
    average = _averaging(encoder)
    image = torch.ones(1, 3, side, side, requires_grad=True)
    value = image
    for name, module in average.named_children():
        value = module(value)
        if name not in ("relu2", "relu3", "relu5"):
            continue
        layer = info.layer(f"conv{name[-1]}")
        last = value.shape[2] - 1
        for y, x in {(0, 0), (0, last), (last // 2, last), (last, last)}:
            (gradient,) = torch.autograd.grad(value[0, 0, y, x], image, retain_graph=True)
            rows, columns = (gradient[0].abs().sum(dim=(0, axis)).nonzero().flatten() for axis in (2, 1))
            seen = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
            offset = (left, top, left, top)
            expected = [start + scale * int(edge) for start, edge in zip(offset, seen, strict=True)]
            box = receptive_box(layer, y, x, width=width, height=height, trunk=trunk)
            assert np.allclose(box, expected), (layer.name, y, x)
    assert bottom - top == right - left == min(width, height)


def _reach(encoder: torch.nn.Module, scanned: ScanReader, side: int) -> dict[str, dict[str, int]]:
    convs = [layer for layer in scanned.info.layers if layer.kind == "conv"]
    ends = reach(encoder, [layer.module for layer in convs], side)
    return {layer.name: {str(side): ends[layer.module]} for layer in convs}


def _averaging(encoder: torch.nn.Module) -> torch.nn.Sequential:
    children = OrderedDict(
        (name, torch.nn.AvgPool2d(3, 2, ceil_mode=True) if isinstance(module, torch.nn.MaxPool2d) else module)
        for name, module in encoder.named_children()
    )
    return torch.nn.Sequential(children)


def test_the_scan_records_how_far_each_layer_sees(scanned: ScanReader) -> None:
    trunk: Trunk = scanned.info.trunk
    assert set(trunk.reach["conv1"]) == {"40", "64", "66"}
    assert all(int(side) >= end > 0 for ends in trunk.reach.values() for side, end in ends.items())


def test_the_seconds_of_an_interrupted_scan_are_those_of_all_its_shards(tmp_path: Path) -> None:
    shards = [Shard(f"shard-{i:05d}.arrow", 1, str(i)) for i in range(2)]
    first, second = (ScanWriter(tmp_path, {"precision": "fp32"}) for _ in range(2))
    first.write(0, shards[0], {}, None, seconds=3.0)
    assert second.has(0, shards[0])
    assert not second.has(1, shards[1])
    second.write(1, shards[1], {}, None, seconds=4.0)
    assert second.seconds(2) == 7.0
    assert not ScanWriter(tmp_path, {"precision": "bf16"}).has(0, shards[0])


def test_every_image_s_maxima_are_kept_with_their_cells(pack: Pack, counting: Path, scanned: ScanReader) -> None:
    network = checkpoints.load(counting)
    found = [maps_of(network, pack.jpeg(row), ["conv4"])["conv4"] for row in range(len(pack))]
    kept = scanned.maxima("conv4")
    assert kept is not None and kept.shape == (7, CHANNELS[3])
    assert np.allclose(kept, [maps.amax(dim=(1, 2)).numpy() for maps in found], rtol=1e-3, atol=1e-4)
    for unit in range(0, CHANNELS[3], 13):
        firing = scanned.firing("conv4", unit)
        assert firing is not None and np.array_equal(firing.values, kept[:, unit])
        for row, maps in enumerate(found):
            y, x = firing.cell(row)
            assert abs(float(maps[unit, y, x]) - float(maps[unit].max())) < 1e-4


def test_values_of_vector_layers_are_their_embeddings(scanned: ScanReader) -> None:
    firing = scanned.firing("counts", 3)
    assert firing is not None and firing.cell(0) == (-1, -1)
    assert np.array_equal(firing.values, scanned.embeddings("counts")[:, 3])
    assert np.array_equal(scanned.maxima("counts"), scanned.embeddings("counts"))  # type: ignore[arg-type]


def test_what_is_above_zero_stays_above_zero_at_half_precision() -> None:
    kept = storable(np.array([[1e-9, 0.0, 1e6]], np.float32), *np.zeros((2, 1, 3), np.int16))
    assert kept.values[0, 0] > 0 and kept.values[0, 1] == 0 and np.isfinite(kept.values[0, 2])
    assert kept.cells.dtype == np.uint8


def test_scans_without_maxima_still_open_and_say_so(scanned: ScanReader, tmp_path: Path) -> None:
    copy = tmp_path / "scan"
    shutil.copytree(scanned.folder, copy)
    for path in [*copy.rglob("maxima-*"), *copy.rglob("places-*"), *copy.rglob("regions.npy")]:
        path.unlink()
    told = json.loads((copy / "scan.json").read_text())
    del told["maxima"], told["regions"]
    (copy / "scan.json").write_text(json.dumps(told))
    old = ScanReader(copy)
    assert same(old.units("conv2"), scanned.units("conv2"))
    assert old.maxima("conv2") is None and old.firing("conv2", 0) is None and old.regions("conv2") is None
    assert old.firing("counts", 0) is not None


def test_a_receptive_field_alone_answers_what_the_whole_image_did(
    pack: Pack, counting: Path, scanned: ScanReader
) -> None:
    """Cells whose field lies inside: cut out and run without padding, they give the scan's value."""
    network, checked = checkpoints.load(counting), 0
    for name in ("conv2", "conv3"):
        layer, table = scanned.layer(name), scanned.units(name)
        steps = list(steps_to(network.encoder, layer.module))
        stride, offset, field = layer.stride or 1, layer.offset or 0.0, layer.receptive_field or 1
        for unit in range(0, table.units, 2):
            row, y, x = (int(part[unit, 0]) for part in (table.rows, table.ys, table.xs))
            square = trunk_square(decode(pack.jpeg(row)), network.card.preprocess)[0]
            pixels = network.trunk_input(square[None])
            top, left = (round(offset + cell * stride - field / 2) for cell in (y, x))
            patch = pixels[:, :, top : top + field, left : left + field]
            if min(top, left) < 0 or patch.shape[2:] != (field, field) or table.dead[unit]:
                continue
            assert abs(float(answers(steps, patch)[0, unit]) - table.values[unit, 0]) < 1e-4
            checked += 1
    assert checked > 10


def test_regions_lie_inside_the_exact_field_and_are_smaller(scanned: ScanReader) -> None:
    smaller = 0
    for name in ("conv1", "conv3", "conv5"):
        table = scanned.units(name)
        for unit in np.flatnonzero(~table.dead)[::3].tolist():
            y, x = int(table.ys[unit, 0]), int(table.xs[unit, 0])
            outer = scanned.box(name, y, x, width=72, height=64)
            inner = scanned.region(name, unit, y, x, width=72, height=64)
            assert inner is not None
            assert outer[0] <= inner[0] < inner[2] <= outer[2] and outer[1] <= inner[1] < inner[3] <= outer[3]
            smaller += inner != outer
    assert smaller > 20
