"""VGG: torchvision's 11 to 19, with and without batch norm, and DeepCluster's VGG-16 with Sobel filters."""

from collections.abc import Iterator
from itertools import pairwise

from models.foreign.names import Names, kept_head
from models.foreign.preparations import imagenet, photos
from models.foreign.report import Guess

DEPTHS = {8: 11, 10: 13, 13: 16, 16: 19}


def vgg(names: Names) -> Iterator[Guess]:
    """3x3 convolutions in features; a gap in their numbers is a pooling."""
    at = [
        place
        for place in names.indices(r"features\.(\d+)\.weight$")
        if len(names.shape(f"features.{place}.weight")) == 4
    ]
    shapes = [names.shape(f"features.{place}.weight") for place in at]
    if len(at) < 3 or any(shape[2:] != (3, 3) for shape in shapes) or at[0] != 0:
        return
    if any(after[1] != before[0] for before, after in pairwise(shapes)):
        return  # groups or branches: not a VGG
    normed = "features.1.running_mean" in names
    step = 3 if normed else 2
    plan: list[int | str] = []
    for place, shape in zip(at, shapes, strict=True):
        poolings = [*at, at[-1] + step + 1]
        plan.append(shape[0])
        gap = poolings[poolings.index(place) + 1] - place - step
        if gap not in (0, 1):
            return
        plan += ["M"] * gap
    linear = names.indices(r"classifier\.(\d+)\.weight$")
    widths = [names.shape(f"classifier.{place}.weight") for place in linear]
    whole = bool(linear) and all(len(shape) == 2 for shape in widths) and widths[0][1] == shapes[-1][0] * 49
    sobel, top = "sobel.1.weight" in names, names.rows("top_layer.weight") if whole else None
    depth = DEPTHS.get(len(at))
    title = f"VGG-{depth}" if depth else f"a VGG with {len(at)} convolutions"
    heads = (
        kept_head(names, "top_layer", "clusters", "its rows are the clusters of the last epoch")
        if top
        else kept_head(names, f"classifier.{linear[-1]}", "classes", "the last layer of the classifier")
        if whole and len(linear) == 3
        else ()
    )
    yield Guess(
        architecture="torchvision-vgg",
        arguments={
            "plan": plan,
            "batch_norm": normed,
            "classifier": [shape[0] for shape in widths] if whole else [],
            "places": linear if whole else [],
            "sobel": sobel,
            "top_layer": top,
        },
        title=title + (" with batch norm" if normed else "") + (" of DeepCluster" if sobel or top else ""),
        score=0.95 if depth else 0.85,
        reason=f"features are {len(at)} convolutions of 3x3" + (" with batch norm" if normed else ""),
        keys={name: name for name in names.shapes},
        heads=heads,
        preprocess=(imagenet(reason="DeepCluster's own code"),) if sobel else photos(),
    )


FAMILIES = (("VGG 11 to 19, with batch norm or without", "`features.0.weight` 64x3x3x3", vgg),)
