"""Receptive fields in closed form against what gradients and impulses really reach."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import ConvNeXt, ResNet, mobilenet_v2, mobilenet_v3_small
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.resnet import BasicBlock, Bottleneck

from models.encoders.receptive_field import (
    ReceptiveField,
    UnknownGeometry,
    fields,
    is_chain,
    known_fields,
    reach,
)

TAIL = [(5, 1, 2, "conv"), (3, 2, 0, "pool"), (3, 1, 1, "conv")]
CHAINS = {
    "alexnet, caffe pooling": [(11, 4, 0, "conv"), (3, 2, 0, "pool"), *TAIL],
    "alexnet, torchvision": [(11, 4, 2, "conv"), (3, 2, 0, "pool"), *TAIL],
    "small stride": [(11, 2, 0, "conv"), (3, 2, 0, "pool"), (5, 1, 2, "conv"), (3, 2, 0, "pool")],
    "even kernels": [(4, 2, 1, "conv"), (2, 2, 0, "pool"), (2, 1, 0, "conv")],
    "padded pool": [(3, 1, 1, "conv"), (3, 2, 1, "pool"), (3, 2, 1, "conv")],
}


def chain(spec: list[tuple[int, int, int, str]], *, pool: type[nn.Module] = nn.MaxPool2d) -> nn.Sequential:
    net, channels = nn.Sequential(), 3
    for index, (kernel, stride, padding, kind) in enumerate(spec):
        if kind == "pool":
            net.add_module(f"pool{index}", pool(kernel, stride, padding, ceil_mode=True))
            continue
        conv = nn.Conv2d(channels, 2, kernel, stride, padding)
        nn.init.constant_(conv.weight, 1 / kernel**2)
        nn.init.constant_(conv.bias, 0.0)  # type: ignore[arg-type]
        net.add_module(f"conv{index}", conv)
        net.add_module(f"relu{index}", nn.ReLU())
        channels = 2
    return net


def rows_seen(net: nn.Sequential, name: str, side: int) -> list[tuple[int, int]]:
    """First row and one past the last row that the gradient of each map row reaches, by walking the chain to `name`."""
    image = torch.ones(1, 3, side, side, requires_grad=True)
    value: Tensor = image
    for child, module in net.named_children():
        value = module(value)
        if child == name:
            break
    spans = []
    for row in range(value.shape[2]):
        (gradient,) = torch.autograd.grad(value[0, :, row].sum(), image, retain_graph=True)
        reached = gradient[0].abs().sum(dim=(0, 2)).nonzero().flatten()
        spans.append((int(reached[0]), int(reached[-1]) + 1))
    return spans


@pytest.mark.parametrize("spec", CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("side", [72, 75])
def test_the_field_of_every_cell_is_exactly_what_its_gradient_reaches(
    spec: list[tuple[int, int, int, str]], side: int
) -> None:
    net = chain(spec, pool=nn.AvgPool2d)  # an average has a gradient at every pixel of its window, a maximum at one
    names = [name for name, _ in net.named_children()]
    last = reach(net, names, side)
    for name, field in fields(net, names).items():
        for cell, span in enumerate(rows_seen(net, name, side)):
            centre, half = field.offset + cell * field.stride, field.receptive_field / 2
            assert span == (max(0, centre - half), min(last[name], centre + half)), (name, cell)


def test_an_impulse_reaches_exactly_the_cells_whose_field_holds_it() -> None:
    net, side = chain(CHAINS["alexnet, caffe pooling"]), 99
    field = fields(net, ["relu4"])["relu4"]
    impulses = torch.zeros(side, 3, side, side)
    impulses[torch.arange(side), :, torch.arange(side)] = 1.0  # image p has its row p lit
    answers = net(impulses).sum(dim=(1, 3)) > 0  # (side, map rows)
    for cell in range(answers.shape[1]):
        centre, half = field.offset + cell * field.stride, field.receptive_field / 2
        expected = [centre - half <= row < centre + half for row in range(side)]
        assert answers[:, cell].tolist() == expected


def test_alexnet_on_small_crops_has_the_published_fields() -> None:
    net = chain([*CHAINS["small stride"], (3, 1, 1, "conv"), (3, 1, 1, "conv"), (3, 1, 1, "conv")])
    found = fields(net, ["conv4", "conv5", "conv6"])
    assert [found[name].receptive_field for name in found] == [55, 71, 87]
    assert {found[name].stride for name in found} == {8}


def test_dilation_widens_the_field() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 3, dilation=2))
    assert fields(net, ["0"])["0"] == ReceptiveField(stride=1, receptive_field=5, offset=2.5)


def test_a_module_without_a_window_is_named() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(2, 2))
    with pytest.raises(UnknownGeometry, match=r"2 \(Linear\)|1 \(Flatten\)"):
        fields(net, ["2"])


def test_what_follows_the_wanted_layers_does_not_matter() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1))
    assert fields(net, ["0"])["0"].receptive_field == 3


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(KeyError, match="conv9"):
        fields(nn.Sequential(nn.Conv2d(3, 2, 3)), ["conv9"])


def test_an_input_one_pixel_smaller_than_the_smallest_side_leaves_a_layer_empty() -> None:
    net = chain(CHAINS["alexnet, caffe pooling"])
    side = next(side for side in range(1, 1000) if reach(net, ["conv4"], side)["conv4"])
    assert net(torch.zeros(1, 3, side, side)).shape[2] == 1
    assert reach(net, ["conv4"], side - 1) == {"conv4": 0}


def basic() -> nn.Module:
    return ResNet(BasicBlock, [1, 1, 1, 1])


BLOCKS: dict[str, tuple[Callable[[], nn.Module], str, int]] = {
    "a residual network": (basic, "layer2.0", 161),
    "bottlenecks": (lambda: ResNet(Bottleneck, [1, 1, 1, 1]), "layer3.0", 161),
    "a mobile network": (lambda: mobilenet_v2(width_mult=0.25), "features.6", 161),
    "convnext": (lambda: ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)]), "features.3.0", 161),
}


@pytest.mark.parametrize("case", BLOCKS)
def test_a_residual_block_sees_what_its_longest_path_sees(case: str) -> None:
    make, name, side = BLOCKS[case]
    torch.manual_seed(0)
    net = make().double().eval()
    for module in net.modules():
        if isinstance(module, nn.ReLU6 | nn.ReLU):
            module.register_forward_hook(lambda _m, args, _out: args[0])  # so that every path carries a gradient
    found: list[Tensor] = []
    net.get_submodule(name).register_forward_hook(lambda _m, _args, out: found.append(out))
    image = torch.randn(1, 3, side, side, dtype=torch.double, requires_grad=True)
    net(image)
    cell = found[0].shape[-1] // 2
    (gradient,) = torch.autograd.grad(found[0][0, :, cell, cell].sum(), image)
    columns = torch.nonzero(gradient.abs().sum(dim=(0, 1, 2)))[:, 0]
    field = fields(net, [name])[name]
    centre = field.offset + cell * field.stride
    assert columns[0] == centre - field.receptive_field / 2
    assert columns[-1] + 1 == centre + field.receptive_field / 2


def test_a_gate_over_the_whole_map_ends_what_is_exact() -> None:
    found = known_fields(mobilenet_v3_small(), ["features.0.2", "features.1", "features.12"])
    assert found["features.0.2"] == (ReceptiveField(2, 3, 0.5), True)
    assert not found["features.1"][1]
    assert found["features.12"][0].stride == 32


def test_a_shortcut_that_looks_elsewhere_has_no_closed_form() -> None:
    net = basic()
    net.layer2[0].downsample[0] = nn.Conv2d(64, 128, 2, stride=2)  # its windows lie half a cell further
    with pytest.raises(UnknownGeometry, match=r"layer2\.0\.downsample"):
        fields(net, ["layer2.0"])


def test_only_modules_one_after_the_other_are_a_chain() -> None:
    assert is_chain(nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())))
    assert not is_chain(basic())
