"""A file of every family, saved as its own code saves it, becomes a network that answers as its source to 1e-5."""

from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import ResNet
from torchvision.models.resnet import BasicBlock

from models.encoders.vit import VisionTransformer
from models.foreign.finding import find
from models.foreign.inspecting import inspect
from models.foreign.leaves import as_tensor
from models.foreign.mapping import best, build, state_dict
from models.foreign.reading import reading
from models.foreign.recognise import recognise
from tests.models.foreign.networks import CifarNet, ContextFree, DeepCluster, Nin, RotNet

State = Mapping[str, Tensor]


def resnet() -> nn.Module:
    """A ResNet of one block a stage without its classifier."""
    network = ResNet(BasicBlock, [1, 1, 1, 1])
    network.fc = nn.Identity()
    return network


def vit(**more: Any) -> nn.Module:
    return VisionTransformer(width=192, depth=2, heads=3, hidden=256, patch=8, grid=4, **more)


def put(prefix: str, state: State) -> dict[str, Tensor]:
    return {f"{prefix}{name}": value for name, value in state.items()}


def other(state: State) -> dict[str, Tensor]:
    """A network of the same shape with other numbers."""
    return {name: value * 0.5 if value.is_floating_point() else value for name, value in state.items()}


def deepcluster(state: State) -> dict[str, Any]:
    inner = {name.replace("features.", "features.module."): value for name, value in state.items()}
    return {"arch": "alexnet", "epoch": 5, "state_dict": inner, "optimizer": {"param_groups": []}}


def moco(state: State, *, query: str, key: str) -> dict[str, Any]:
    queue = {"module.queue": torch.randn(16, 8), "module.queue_ptr": torch.zeros(1, dtype=torch.long)}
    return {"arch": "resnet18", "state_dict": {**put(query, state), **put(key, other(state)), **queue}}


def moco_v2(state: State) -> dict[str, Any]:
    return moco(state, query="module.encoder_q.", key="module.encoder_k.")


def moco_v3(state: State) -> dict[str, Any]:
    return moco(state, query="module.base_encoder.", key="module.momentum_encoder.")


def mmselfsup(state: State) -> dict[str, Any]:
    return {"meta": {"epoch": 200}, "state_dict": put("backbone.", state)}


def dino(state: State) -> dict[str, Any]:
    head = {"module.head.mlp.0.weight": torch.randn(8, 192)}
    args = Namespace(arch="vit_tiny", patch_size=8)
    student, teacher = {**put("module.backbone.", other(state)), **head}, {**put("backbone.", state)}
    return {"student": student, "teacher": {**teacher, "head.mlp.0.weight": torch.randn(8, 192)}, "args": args}


def dinov2(state: State) -> dict[str, Any]:
    chunked = {name.replace("blocks.", "blocks.0."): value for name, value in state.items()}
    return {"model": {**put("teacher.backbone.", chunked), **put("student.backbone.", other(chunked))}}


def vissl(state: State) -> dict[str, Any]:
    trunk = put("_feature_blocks.", state)
    model = {"trunk": trunk, "heads": {"0.clf.weight": torch.randn(4, 512)}}
    return {"classy_state_dict": {"base_model": {"model": model}}}


def lightning(state: State) -> dict[str, Any]:
    projector = {"projector.0.weight": torch.randn(8, 512), "projector.2.weight": torch.randn(8, 8)}
    return {"epoch": 9, "pytorch-lightning_version": "2.1", "state_dict": {**put("backbone.", state), **projector}}


def mae(state: State) -> dict[str, Any]:
    decoder = {"mask_token": torch.zeros(1, 1, 64), "decoder_embed.weight": torch.randn(64, 192)}
    return {"model": {**state, **decoder, "decoder_pred.weight": torch.randn(192, 64)}, "epoch": 800}


Make, Shape = Callable[[], nn.Module], Callable[[State], Any]
# A network, the side of its images, the file, what is saved in it, and a part of the weights' name.
FILES: dict[str, tuple[Make, int, str, Shape, str]] = {
    "torchvision": (lambda: torchvision.models.mobilenet_v3_small(num_classes=5), 64, "m.pth", dict, ""),
    "generic, ddp": (CifarNet, 32, "checkpoint_0100.pth.tar", lambda s: {"model_state_dict": put("module.", s)}, ""),
    "generic, compiled": (CifarNet, 32, "n.pt", lambda s: {"net": put("_orig_mod.", s)}, ""),
    "timm, safetensors": (vit, 32, "model.safetensors", dict, ""),
    "timm, npz": (vit, 32, "model.npz", dict, ""),
    "timm, ema": (vit, 32, "t.pth.tar", lambda s: {"state_dict": other(s), "state_dict_ema": dict(s)}, "ema"),
    "deepcluster": (DeepCluster, 224, "dc.pth.tar", deepcluster, ""),
    "rotnet": (RotNet, 224, "model_net_epoch50", lambda s: {"epoch": 50, "network": dict(s)}, ""),
    "rotnet, cifar": (Nin, 32, "model_net_epoch200", lambda s: {"epoch": 200, "network": dict(s)}, ""),
    "moco v2": (resnet, 64, "moco.pth.tar", moco_v2, "_q"),
    "moco v3": (vit, 32, "v3.pth.tar", moco_v3, "base_encoder"),
    "dino": (vit, 32, "checkpoint0040.pth", dino, "teacher"),
    "dinov2": (lambda: vit(registers=4, layer_scale=True), 32, "dinov2.pth", dinov2, "teacher"),
    "vissl": (resnet, 64, "model_phase12.torch", vissl, "trunk"),
    "solo-learn": (resnet, 64, "epoch=99-step=1.ckpt", lightning, ""),
    "solo-learn, older": (resnet, 64, "old.ckpt", lambda s: {"state_dict": put("encoder.", s)}, ""),
    "mmselfsup": (resnet, 64, "epoch_200.pth", mmselfsup, ""),
    "mae": (vit, 32, "mae_pretrain.pth", mae, ""),
    "lightly train": (resnet, 64, "exported_last.pt", dict, ""),
}


def save(path: Path, content: Any) -> None:
    if path.suffix == ".safetensors":
        save_file({name: value.contiguous() for name, value in content.items()}, path)
    elif path.suffix == ".npz":
        np.savez(path, **{name: value.numpy() for name, value in content.items()})
    else:
        torch.save(content, path)


@pytest.mark.parametrize("family", FILES)
def test_the_network_of_the_file_answers_as_its_source(family: str, tmp_path: Path) -> None:
    make, side, file, shape, part = FILES[family]
    torch.manual_seed(0)
    source = make().eval()
    for name, value in source.state_dict().items():
        if name.endswith(("running_mean", "bias", "token", "tokens")):
            value.normal_(0.0, 0.3)
    path = tmp_path / file
    save(path, shape(source.state_dict()))
    inspection = inspect(path)
    (candidate,) = [it for it in inspection.plausible if part in it.name]
    found = best(candidate, recognise(candidate, inspection.metadata))
    assert found is not None and found.fits, found and found.sentence
    network = build(found.guess, device="cpu").eval()
    with reading(path) as raw:
        (weights,) = [it for it in find(raw.content) if it.name == candidate.name]
        tensors = {name: as_tensor(leaf).clone() for name, leaf in weights.tensors.items()}
    network.load_state_dict(state_dict(found, tensors), strict=True)
    image = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, answer = source(image), network(image)
    assert expected.std() > 1e-3
    assert torch.allclose(answer, expected, atol=1e-5, rtol=1e-5)


def test_the_jigsaw_file_keeps_the_network_of_one_tile(tmp_path: Path) -> None:
    """Brattoli's file is flat, with the permutations in another file beside it."""
    torch.manual_seed(0)
    source = ContextFree().eval()
    save(tmp_path / "jps_050.pth.tar", source.state_dict())
    (candidate,) = inspect(tmp_path / "jps_050.pth.tar").plausible
    found = best(candidate, recognise(candidate))
    assert found is not None and found.fits
    network = build(found.guess, device="cpu").eval()
    network.load_state_dict(state_dict(found, source.state_dict()), strict=True)
    tile = torch.randn(1, 3, 75, 75)
    with torch.no_grad():
        assert torch.allclose(network(tile), source.tile(tile), atol=1e-5)
