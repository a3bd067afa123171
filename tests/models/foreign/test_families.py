"""A file of every family that is recognised becomes a network that answers what its own code does."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import ResNet
from torchvision.models import VisionTransformer as TorchvisionViT
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.models.vgg import make_layers

from models.encoders import ENCODERS, layers
from models.encoders.timm_network import TimmMissing
from models.encoders.vit import VisionTransformer
from models.foreign.mapping import DoesNotFit, best, build, report, require_fit, state_dict
from models.foreign.named import named
from models.foreign.recognise import recognise
from models.foreign.report import LoadReport
from models.foreign.weights import TensorInfo, WeightsCandidate
from tests.models.foreign.networks import CaffeNet, CifarNet, ContextFree, DeepCluster, Nin, RotNet

Tensors = Mapping[str, Tensor]


def lively(make: Callable[[], nn.Module]) -> nn.Module:
    """A network in evaluation mode whose every number is drawn: the running means of batch norm as well."""
    torch.manual_seed(0)
    network = make().eval()
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2.0)
        elif name.endswith(("running_mean", "bias", "gamma")) or ("bn" in name and name.endswith("weight")):
            value.normal_(0.0, 0.3)
        elif value.is_floating_point() and value.dim() < 4 and "token" in name:
            value.normal_()
    return network


def candidate(tensors: Tensors, prefix: str = "") -> WeightsCandidate:
    """The candidate that the reader of files finds in such a state dict."""
    infos = {
        name: TensorInfo(tuple(value.shape), str(value.dtype).removeprefix("torch.")) for name, value in tensors.items()
    }
    return WeightsCandidate("weights", prefix, infos)


def found_in(tensors: Tensors, prefix: str = "") -> LoadReport:
    file = candidate(tensors, prefix)
    found = best(file, recognise(file))
    assert found is not None
    return found


def loaded(found: LoadReport, tensors: Tensors) -> nn.Module:
    network = build(found.guess, device="cpu").eval()
    network.load_state_dict(state_dict(found, tensors), strict=True)
    return network


class WholeVgg(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = make_layers([8, "M", 16, "M", 16, 16, "M"], batch_norm=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x)


class Moco(nn.Module):
    """A ResNet with a projection head of two layers in the place of its classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = ResNet(BasicBlock, [1, 1, 1, 1])
        self.whole.fc = nn.Sequential(nn.Linear(512, 16), nn.ReLU(), nn.Linear(16, 8))

    def forward(self, x: Tensor) -> Tensor:
        return self.whole(x)


@dataclass(frozen=True)
class Case:
    """A source network, what it is called, the side of its images, and the kind and outputs of its head."""

    make: Callable[[], nn.Module]
    title: str
    side: int
    head: tuple[str, int] | None = None
    inner: str = ""


CASES: dict[str, Case] = {
    "torchvision alexnet, convolutions": Case(
        lambda: torchvision.models.AlexNet().features, "AlexNet of torchvision", 70, inner="features."
    ),
    "rotnet": Case(RotNet, "AlexNet of RotNet", 224, ("rotations", 4)),
    "rotnet on cifar": Case(Nin, "Network in Network of RotNet", 32, ("rotations", 4)),
    "deepcluster with sobel": Case(DeepCluster, "AlexNet of DeepCluster with Sobel filters", 224, ("clusters", 7)),
    "deepcluster without": Case(lambda: DeepCluster(sobel=False), "AlexNet of DeepCluster", 224, ("clusters", 7)),
    "caffenet": Case(CaffeNet, "CaffeNet", 227, ("classes", 6)),
    "vgg": Case(WholeVgg, "a VGG with 4 convolutions with batch norm", 48),
    "resnet-18": Case(lambda: ResNet(BasicBlock, [2, 2, 2, 2], num_classes=5), "ResNet-18", 64, ("classes", 5)),
    "resnext": Case(
        lambda: ResNet(Bottleneck, [1, 1, 1, 1], groups=4, width_per_group=8, num_classes=5),
        "ResNeXt- of 1-1-1-1 blocks 4x8d",
        64,
        ("classes", 5),
    ),
    "moco v2": Case(lambda: Moco().whole, "ResNet of 1-1-1-1 blocks", 64, ("projection", 8)),
    "cifar resnet-20": Case(CifarNet, "ResNet-20 for CIFAR", 32, ("classes", 10)),
    "cifar resnet with convolutions as shortcuts": Case(
        lambda: CifarNet("B", 1), "ResNet-8 for CIFAR", 32, ("classes", 10)
    ),
    "torchvision vit": Case(
        lambda: TorchvisionViT(32, 8, 2, 2, 128, 256, num_classes=5),
        "vision transformer of width 128 of torchvision, patches of 8 px",
        32,
        ("classes", 5),
    ),
    "dino, mae, timm": Case(
        lambda: VisionTransformer(width=192, depth=2, heads=3, hidden=256, patch=8, grid=4),
        "vision transformer tiny, patches of 8 px",
        32,
    ),
    "dinov2 with registers": Case(
        lambda: VisionTransformer(
            width=192, depth=2, heads=3, hidden=256, patch=8, grid=4, registers=4, layer_scale=True
        ),
        "vision transformer tiny, patches of 8 px",
        32,
    ),
    "mobilenet v3": Case(
        lambda: torchvision.models.mobilenet_v3_small(num_classes=5),
        "mobilenet_v3_small of torchvision",
        64,
        ("classes", 5),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_loaded_network_answers_as_its_source_does(name: str) -> None:
    case = CASES[name]
    source = lively(case.make)
    tensors = {f"{case.inner}{key}": value for key, value in source.state_dict().items()}
    found = found_in(tensors)
    assert found.guess.title == case.title
    assert found.fits, found.sentence
    assert set(found.matched) == set(tensors)
    network = loaded(found, tensors)
    image = torch.randn(2, 3, case.side, case.side, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, answer = source(image), network(image)
    assert expected.std() > 1e-3
    assert torch.allclose(answer, expected, atol=1e-5, rtol=1e-5)
    if case.head is not None:
        (head,) = found.guess.heads
        assert ((head.kind, head.outputs), head.kept) == (case.head, True)
    cards = layers(network, side=case.side)
    assert cards[0].name + ".weight" in network.state_dict()
    assert all(card.units > 0 for card in cards)


def test_names_of_timm_mean_what_torchvision_computes() -> None:
    """The same transformer under both names: torchvision's code is the judge of ours."""
    source = lively(CASES["torchvision vit"].make)
    renamed = {"class_token": "cls_token", "encoder.pos_embedding": "pos_embed"}
    for name in source.state_dict():
        key = name.replace("encoder.layers.encoder_layer_", "blocks.").replace("conv_proj", "patch_embed.proj")
        key = key.replace("ln_1", "norm1").replace("ln_2", "norm2").replace("self_attention.in_proj_", "attn.qkv.")
        key = (
            key.replace("self_attention.out_proj", "attn.proj").replace("mlp.0", "mlp.fc1").replace("mlp.3", "mlp.fc2")
        )
        renamed.setdefault(name, key.replace("encoder.ln", "norm").replace("heads.head", "head"))
    tensors = {renamed[name]: value for name, value in source.state_dict().items()}
    found = found_in(tensors)
    assert found.fits
    assert found.guess.arguments["heads"] == 2
    image = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(loaded(found, tensors)(image), source(image), atol=1e-5)


def test_tesseras_own_weights_are_not_taken_for_caffes() -> None:
    source = lively(lambda: ENCODERS["alexnet"](widths=(8, 12, 16, 16, 12)))
    stripped, whole = dict(source.state_dict()), {f"encoder.{key}": value for key, value in source.state_dict().items()}
    for found in (found_in(stripped, "encoder."), found_in(whole | {"head.counts.weight": torch.zeros(8, 4)})):
        assert (found.guess.title, found.fits) == ("Tessera's AlexNet", True)
    assert [(head.kind, head.outputs) for head in found.guess.heads] == [("counts", 8)]


def test_heads_outside_the_prefix_are_named() -> None:
    infos = candidate(CifarNet().state_dict()).tensors
    outside = candidate({"queue": torch.zeros(8, 4), "head.mlp.0.weight": torch.zeros(16, 64), "scale": torch.zeros(1)})
    file = WeightsCandidate("state_dict", "module.encoder_q.", infos, beside=outside.tensors)
    found = report(file, recognise(file)[0])
    assert found.fits
    assert {(head.kind, head.outputs) for head in found.beside} == {
        ("queue", None),
        ("projection", 16),
        ("other", None),
    }
    assert found.stripped == ("module.encoder_q.",)


def test_blocks_in_chunks_are_found() -> None:
    """DINOv2 writes blocks.<chunk>.<block>."""
    source = lively(CASES["dinov2 with registers"].make)
    tensors = {name.replace("blocks.", "blocks.0."): value for name, value in source.state_dict().items()}
    tensors["mask_token"] = torch.zeros(1, 192)
    found = found_in(tensors)
    assert found.fits
    assert [(head.kept, head.tensors) for head in found.guess.heads] == [(False, ("mask_token",))]
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(loaded(found, tensors)(image), source(image), atol=1e-6)


def test_the_nine_tiles_of_a_jigsaw_share_what_is_kept() -> None:
    source = lively(ContextFree)
    assert isinstance(source, ContextFree)
    found = found_in(source.state_dict())
    assert found.fits
    (head,) = found.guess.heads
    assert (head.kind, head.outputs, head.kept) == ("permutations", 6, False)
    tile = torch.randn(2, 3, 75, 75)
    network = loaded(found, source.state_dict())
    with torch.no_grad():
        assert torch.allclose(network(tile), source.tile(tile), atol=1e-5)
    assert [card.name for card in layers(network, side=75)][-1] == "fc6"
    assert [card.name for card in layers(network, side=96)][-1] == "conv5"  # fc6 was made for tiles


def test_the_order_of_pooling_in_a_caffe_file_decides_between_its_two_alexnets() -> None:
    file = candidate(lively(CaffeNet).state_dict())
    listed = [{"name": name, "type": ""} for name in ("conv1", "relu1", "norm1", "pool1", "conv2")]
    titles = [guess.title for guess in recognise(file, {"caffe": {"layers": listed}})]
    assert titles[:2] == ["AlexNet of Caffe (BVLC)", "CaffeNet"]
    assert [guess.title for guess in recognise(file)][:2] == ["CaffeNet", "AlexNet of Caffe (BVLC)"]


def test_old_caffe_files_have_their_linear_layers_in_four_dimensions() -> None:
    source = lively(CaffeNet)
    tensors = dict(source.state_dict()) | {"fc6.weight": source.state_dict()["fc6.weight"][None, None]}
    found = found_in(tensors)
    assert found.fits
    assert [(item.name, item.to) for item in found.reshaped] == [("fc6.weight", (10, 432))]
    image = torch.randn(1, 3, 227, 227)
    with torch.no_grad():
        assert torch.allclose(loaded(found, tensors)(image), source(image), atol=1e-5)


FULL_SIZE: dict[str, tuple[Callable[[], nn.Module], str]] = {
    **{name: (lambda name=name: torchvision.models.get_model(name), title) for name, title in {  # type: ignore[misc]
        "alexnet": "AlexNet of torchvision",
        "vgg11": "VGG-11",
        "vgg19_bn": "VGG-19 with batch norm",
        "resnet50": "ResNet-50",
        "resnet152": "ResNet-152",
        "wide_resnet50_2": "wide ResNet-50-2",
        "resnext50_32x4d": "ResNeXt-50 32x4d",
        "vit_b_32": "vision transformer base of torchvision, patches of 32 px",
        "convnext_tiny": "convnext_tiny of torchvision",
        "mobilenet_v2": "mobilenet_v2 of torchvision",
        "densenet121": "densenet121 of torchvision",
        "efficientnet_b0": "efficientnet_b0 of torchvision",
        "shufflenet_v2_x1_0": "shufflenet_v2_x1_0 of torchvision",
        "squeezenet1_1": "squeezenet1_1 of torchvision",
        "swin_t": "swin_t of torchvision",
    }.items()}
}  # fmt: skip


@pytest.mark.parametrize("name", FULL_SIZE)
def test_networks_of_torchvision_are_known_at_their_full_size(name: str) -> None:
    make, title = FULL_SIZE[name]
    with torch.device("meta"):
        tensors = make().state_dict()
    found = found_in(tensors)
    assert (found.guess.title, found.fits) == (title, True)
    if name not in ("squeezenet1_1",):
        assert [(head.kind, head.outputs) for head in found.guess.heads] == [("classes", 1000)]


def test_a_missing_tensor_and_one_too_many_are_named() -> None:
    tensors = dict(lively(CifarNet).state_dict())
    tensors |= {f"extra.{place}": torch.zeros(2) for place in range(7)}
    del tensors["layer2.0.conv1.weight"]
    found = found_in(tensors)
    assert found.missing == ("layer2.0.conv1.weight",)
    with pytest.raises(
        DoesNotFit, match=r"1 missing \(layer2\.0\.conv1\.weight\); 7 unexpected \(extra\.0, .* and 2 more"
    ):
        require_fit(found)


def test_another_shape_is_told_in_both_shapes() -> None:
    file = candidate(CifarNet().state_dict())
    guess = recognise(file)[0]
    wrong = dict(CifarNet().state_dict()) | {"conv1.weight": torch.zeros(8, 3, 3, 3)}
    found = report(candidate(wrong), guess)
    with pytest.raises(DoesNotFit, match=r"conv1\.weight: file 8x3x3x3, model 16x3x3x3"):
        require_fit(found)


def test_counters_that_old_files_lack_are_filled_and_said_so() -> None:
    tensors = {name: value for name, value in CifarNet().state_dict().items() if "num_batches" not in name}
    found = found_in(tensors)
    assert found.fits
    assert len(found.filled) == 19
    assert found.sentence == f"{len(tensors)} of {len(tensors)} tensors matched as ResNet-20 for CIFAR."


def test_a_network_that_nobody_knows_still_has_first_filters() -> None:
    tensors = {"stem.weight": torch.randn(8, 3, 5, 5), "odd.thing": torch.zeros(3, 4)}
    found = found_in(tensors)
    assert found.guess.filters_only
    assert found.guess.arguments == {"name": "stem", "units": 8, "channels": 3, "height": 5, "width": 5}
    assert (
        best(candidate({"odd.thing": torch.zeros(3, 4)}), recognise(candidate({"odd.thing": torch.zeros(3, 4)})))
        is None
    )


def test_weights_that_no_training_gives_are_flagged() -> None:
    infos = dict(candidate(CifarNet().state_dict()).tensors)
    infos["conv1.weight"] = TensorInfo((16, 3, 3, 3), "float32", finite=False, bad=2)
    infos["linear.weight"] = TensorInfo((10, 64), "float32", finite=True, constant=True, low=0.5, high=0.5)
    infos["linear.bias"] = TensorInfo((10,), "float32", finite=True, low=-1.0, high=1e9)
    file = WeightsCandidate("weights", "", infos)
    found = report(file, recognise(file)[0])
    assert {(doubt.name, doubt.what) for doubt in found.doubts} == {
        ("conv1.weight", "not finite"),
        ("linear.weight", "constant"),
        ("linear.bias", "absurd"),
    }


def test_shapes_that_contradict_their_names_are_no_crash() -> None:
    for shape in ((), (1,), (0, 0), (7, 7, 7, 7, 7)):
        tensors = {
            name: torch.empty(shape, device="meta") for case in (CifarNet, RotNet) for name in case().state_dict()
        }
        file = candidate(tensors)
        best(file, recognise(file))


def test_a_network_can_be_named() -> None:
    source = torchvision.models.shufflenet_v2_x0_5(num_classes=3)
    file = candidate(source.state_dict())
    guess = named(file, "torchvision:shufflenet_v2_x0_5.IMAGENET1K_V1")
    assert guess is not None
    assert report(file, guess).fits
    other = named(file, "torchvision:mobilenet_v2")
    assert other is not None
    assert not report(file, other).fits
    assert named(file, "ResNet-18") is None


def test_without_its_package_a_network_of_timm_says_what_to_install() -> None:
    file = candidate({"stem.conv.weight": torch.zeros(4, 3, 3, 3)})
    guess = named(file, "timm:resnet10t")
    assert guess is not None
    try:
        import timm  # type: ignore[import-not-found] # noqa: F401
    except ImportError:
        with pytest.raises(TimmMissing, match=r"'\.\[timm\]'"):
            report(file, guess)
    else:
        assert not report(file, guess).fits


def test_a_report_is_plain_json() -> None:
    found = found_in(lively(CifarNet).state_dict())
    value = json.loads(json.dumps(found.as_json()))
    assert value["guess"]["title"] == "ResNet-20 for CIFAR"
    assert value["guess"]["preprocess"][0]["preprocess"]["trunk_size"] == 32
