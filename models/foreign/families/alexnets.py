"""AlexNet in all its spellings: torchvision, DeepCluster, RotNet, the jigsaw's, Caffe's."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from models.foreign.names import Names, kept_head, left_head
from models.foreign.preparations import caffe, gray, half, imagenet, lab, lightness, photos, standardised
from models.foreign.report import Guess, PreprocessChoice

CONVS = tuple(f"conv{number}" for number in range(1, 6))
FC = ("fc6", "fc7", "fc8")


def torchvision(names: Names) -> Iterator[Guess]:
    places = (0, 3, 6, 8, 10)
    shapes = [names.shape(f"features.{place}.weight") for place in places]
    if not all(len(shape) == 4 for shape in shapes) or shapes[0][2:] != (11, 11) or shapes[1][0] != 192:
        return
    linear = [names.rows(f"classifier.{place}.weight") for place in (1, 4, 6)]
    whole = all(linear)
    heads = kept_head(names, "classifier.6", "classes", "the last layer of the classifier") if whole else ()
    yield Guess(
        architecture="torchvision-alexnet",
        arguments={"classifier": linear if whole else []},
        title="AlexNet of torchvision",
        score=0.95,
        reason="features.0, 3, 6, 8, 10 are convolutions of 64 to 384 channels, the first of 11x11",
        keys={name: name for name in names.shapes},
        heads=heads,
        preprocess=photos(),
    )


def _convs(names: Names, places: Mapping[str, str]) -> dict[str, Any] | None:
    """Widths, groups and input channels of five convolutions, by our names and the file's; None where they differ."""
    shapes = [names.shape(f"{places[conv]}.weight") for conv in CONVS]
    if not all(len(shape) == 4 for shape in shapes) or [shape[2] for shape in shapes] != [11, 5, 3, 3, 3]:
        return None
    widths = [shape[0] for shape in shapes]
    before = [shapes[0][1], *widths[:4]]
    if any(wide % shape[1] for wide, shape in zip(before, shapes, strict=True)):
        return None
    groups = [wide // shape[1] for wide, shape in zip(before, shapes, strict=True)]
    return {"channels": shapes[0][1], "widths": widths, "groups": groups}


def _keys(names: Names, places: Mapping[str, str]) -> dict[str, str]:
    """The encoder's name of each tensor below the given modules of the file."""
    return {
        name: f"{ours}.{name.removeprefix(f'{theirs}.')}"
        for ours, theirs in places.items()
        for name in names.shapes
        if name.startswith(f"{theirs}.") and "." not in name.removeprefix(f"{theirs}.")
    }


def deepcluster(names: Names) -> Iterator[Guess]:
    """features with batch norm at 0, 4, 8, 11, 14 and a top layer of clusters."""
    normed = "features.1.running_mean" in names
    at = (0, 4, 8, 11, 14) if normed else (0, 3, 6, 8, 10)
    places = {conv: f"features.{place}" for conv, place in zip(CONVS, at, strict=True)}
    if normed:
        places |= {f"bn{number}": f"features.{place + 1}" for number, place in enumerate(at, start=1)}
    found = _convs(names, places)
    if found is None or found["widths"][:2] == [64, 192]:
        return
    sobel = "sobel.1.weight" in names
    found["channels"] = 3 if sobel else found["channels"]
    linear = [names.rows(f"classifier.{place}.weight") for place in (1, 4)]
    features = (*names.shape("classifier.1.weight"), 0, 0)[1]
    places |= {"fc6": "classifier.1", "fc7": "classifier.4", "fc8": "top_layer"} if all(linear) else {}
    keys = _keys(names, places) | {name: name for name in names.starting("sobel.")}
    rows = names.rows("top_layer.weight")
    kept = bool(all(linear) and rows)
    top = "its rows are the clusters of the last epoch"
    heads = (
        kept_head(names, "top_layer", "clusters", top)
        if kept
        else left_head(names.starting("top_layer."), "clusters", rows, top)
    )
    yield Guess(
        architecture="alexnet-classic",
        arguments={
            **found,
            "sobel": sobel,
            "padding": 2,
            "norm": "batch" if normed else "none",
            "ceil_mode": False,
            "features": features if all(linear) else 0,
            "fc": linear if all(linear) else [],
            "classes": rows if kept else None,
        },
        title="AlexNet of DeepCluster" + (" with Sobel filters" if sobel else ""),
        score=0.95 if normed else 0.7,
        reason="features are five convolutions"
        + (" with batch norm" if normed else "")
        + (", fixed Sobel filters come first" if sobel else ""),
        keys=keys,
        heads=heads,
        preprocess=_plausible(3 if sobel else found["channels"], imagenet(reason="DeepCluster's own code"), side=224),
        assumed=("padding 2 in conv1 and pooling rounded down, as in DeepCluster's code",),
    )


def rotnet(names: Names) -> Iterator[Guess]:
    """Blocks 0, 2, 4, 5, 6 with convolution and batch norm, block 8 fully connected, block 9 the classifier."""
    root = "_feature_blocks." if names.starting("_feature_blocks.") else ""
    at = (0, 2, 4, 5, 6)
    places = {conv: f"{root}{place}.0" for conv, place in zip(CONVS, at, strict=True)}
    found = _convs(names, places)
    if found is None:
        return
    normed = f"{root}0.1.running_mean" in names
    if normed:
        places |= {f"bn{number}": f"{root}{place}.1" for number, place in enumerate(at, start=1)}
    linear = [names.rows(f"{root}8.{place}.weight") for place in (1, 4)]
    whole = all(linear)
    if whole:
        places |= {"fc6": f"{root}8.1", "fc7": f"{root}8.4", "fc8": f"{root}9.0"}
        places |= {"bn6": f"{root}8.2", "bn7": f"{root}8.5"}
    rows = names.rows(f"{root}9.0.weight")
    kept = whole and rows is not None
    words = "four: as many as there are rotations" if rows == 4 else "the last layer"
    top = kept_head(names, f"{root}9.0", "rotations" if rows == 4 else "classes", words) if kept else ()
    yield Guess(
        architecture="alexnet-classic",
        arguments={
            **found,
            "padding": 2,
            "norm": "batch" if normed else "none",
            "ceil_mode": False,
            "conv_bias": f"{root}0.0.bias" in names,
            "features": names.shape(f"{root}8.1.weight")[1] if whole else 0,
            "fc": linear if whole else [],
            "fc_bias": f"{root}8.1.bias" in names,
            "fc_norm": f"{root}8.2.running_mean" in names,
            "classes": rows if kept else None,
        },
        title="AlexNet of RotNet",
        score=0.95,
        reason="blocks 0, 2, 4, 5 and 6 each hold a convolution" + (" and batch norm" if normed else ""),
        keys=_keys(names, places),
        heads=top,
        preprocess=_plausible(found["channels"], imagenet(reason="RotNet's own code"), side=224),
        assumed=("padding 2 in conv1 and pooling rounded down, as in RotNet's code",),
    )


def jigsaw(names: Names) -> Iterator[Guess]:
    """One stack of convolutions and fc6 shared by nine tiles; fc7 sees all of them, fc8 the permutation."""
    suffix = "_s1" if names.starting("conv.conv1_s1.") else ""
    places = {conv: f"conv.{conv}{suffix}" for conv in CONVS}
    found = _convs(names, places)
    if found is None:
        return
    tile = f"fc6.fc6{suffix}"
    features, width = (*names.shape(f"{tile}.weight")[::-1], 0, 0)[:2]
    above = names.starting("fc7.", "classifier.")
    rows = names.rows("classifier.fc8.weight")
    whole = "from fc6 of nine tiles to the permutation they are in"
    tiles = standardised(
        75, 75, "tiles of 64 px were brought to 75 and normalised one by one: all of a photo as one tile"
    )
    yield Guess(
        architecture="alexnet-classic",
        arguments={
            **found,
            "stride": 2,
            "padding": 0,
            "norm": "lrn",
            "ceil_mode": False,
            "features": features,
            "fc": [width] if width else [],
        },
        title="Context-free network of the jigsaw puzzles",
        score=0.95,
        reason="conv.conv1 to conv.conv5 with groups, fc6 shared by nine tiles",
        keys=_keys(names, places | {"fc6": tile}),
        heads=left_head(above, "permutations", rows, whole),
        preprocess=(tiles, imagenet(225, 256, "the whole photo at the size it was cut from; fc6 then does not fit")),
        assumed=("conv1 at stride 2 and local response normalisation after pooling, as in the PyTorch release",),
    )


def of_caffe(names: Names) -> Iterator[Guess]:
    """conv1 to conv5 with or without groups, fc6 to fc8: CaffeNet, BVLC AlexNet and what has their shape."""
    places = {conv: conv for conv in CONVS}
    found = _convs(names, places)
    if found is None:
        return
    sizes = [_linear(names.shape(f"{layer}.weight")) for layer in FC if f"{layer}.weight" in names]
    whole = len(sizes) == len(FC)
    arguments = {
        **found,
        **_conv1(names),
        "norm": "lrn",
        "norm_first": False,
        "features": sizes[0][1] if sizes else 0,
        "fc": [size[0] for size in sizes[: 2 if whole else None]],
        "classes": sizes[2][0] if whole else None,
    }
    words = "the last layer: of classes, permutations or clusters"
    heads = kept_head(names, "fc8", "classes", words) if whole else ()
    grouped = "with groups" if max(found["groups"]) > 1 else "without groups"
    guess = Guess(
        architecture="alexnet-classic",
        arguments=arguments,
        title="CaffeNet",
        score=0.85,
        reason=f"conv1 to conv5 {grouped}, the first of 11x11, as Caffe names them",
        keys={name: name for name in names.shapes},
        heads=heads,
        preprocess=_plausible(found["channels"], caffe(reason="conv1 to conv5 as Caffe names them"), side=227),
        assumed=(
            "conv1 at stride 4, pooling rounded up and before normalisation, as in CaffeNet",
            "local response normalisation: the weights do not tell",
        ),
    )
    bvlc = _as(
        guess,
        "AlexNet of Caffe (BVLC)",
        {"norm_first": True},
        ("conv1 at stride 4, normalisation before pooling, as in BVLC's AlexNet", guess.assumed[1]),
    )
    bare = ("conv1 at stride 4, pooling rounded up, no normalisation",)
    yield replace(guess, score=0.86 if _pools_first(names) else 0.84)
    yield replace(bvlc, score=0.85)
    yield replace(_as(guess, "AlexNet of Caffe without normalisation", {"norm": "none"}, bare), score=0.6)


def caffe_layers(names: Names) -> list[dict[str, Any]]:
    """What a .caffemodel says of its layers, in order: name, type, and of convolutions stride, pad and group."""
    net = (names.metadata or {}).get("caffe")
    return list(net["layers"]) if isinstance(net, dict) else []


def _conv1(names: Names) -> dict[str, int]:
    """Stride and padding of conv1 where the file tells them."""
    layer = next((layer for layer in caffe_layers(names) if layer["name"] == "conv1"), {})
    return {
        ours: int(layer[theirs][0]) for ours, theirs in (("stride", "stride"), ("padding", "pad")) if layer.get(theirs)
    }


def _linear(shape: tuple[int, ...]) -> tuple[int, int]:
    """Outputs and inputs of a linear layer, also as Caffe once wrote it (1x1xOxI) and as a convolution (OxCxhxw)."""
    if shape[:-2] and set(shape[:-2]) == {1}:
        return shape[-2], shape[-1]
    return shape[0], math.prod(shape[1:])


def _pools_first(names: Names) -> bool:
    """Whether the layers of a Caffe file pool before they normalise; assumed as in CaffeNet where the file does not
    say.
    """
    listed = [layer["name"] for layer in caffe_layers(names)]
    return "pool1" not in listed or "norm1" not in listed or listed.index("pool1") < listed.index("norm1")


def _as(guess: Guess, title: str, change: Mapping[str, Any], assumed: tuple[str, ...]) -> Guess:
    """The same tensors, put together in another way."""
    return replace(guess, title=title, arguments={**guess.arguments, **change}, assumed=assumed)


def _plausible(channels: int, first: PreprocessChoice, *, side: int) -> tuple[PreprocessChoice, ...]:
    """The likely inputs of a first layer with so many channels, the likeliest first."""
    if channels == 1:
        return (lightness(side), gray(side))
    bgr = "bgr" in first.preprocess.colour
    others = (imagenet(side), half(side)) if bgr else (half(side), caffe(side, 256))
    return (first, *others, lab(side))


FAMILIES = (
    ("AlexNet of torchvision", "`features.0.weight` 64x3x11x11", torchvision),
    ("AlexNet of DeepCluster", "`features.0.weight` 96x2x11x11, `sobel.0.weight`, `top_layer.weight`", deepcluster),
    ("AlexNet of RotNet", "`_feature_blocks.0.0.weight`, `_feature_blocks.9.0.weight`", rotnet),
    ("Context-free network (jigsaw)", "`conv.conv1_s1.weight`, `fc6.fc6_s1.weight`", jigsaw),
    ("CaffeNet, BVLC AlexNet", "`conv1.weight` 96x3x11x11 to `fc8.weight`", of_caffe),
)
