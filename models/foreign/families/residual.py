"""ResNets of torchvision and everything built on them: wide, ResNeXt, MoCo, SimCLR, DINO, SwAV, VISSL, timm."""

from collections.abc import Iterator

from models.foreign.names import Names, kept_head, left_head
from models.foreign.preparations import CIFAR_MEAN, cifar, fixed, photos, plain
from models.foreign.report import Guess, Head, PreprocessChoice

BASIC = {(2, 2, 2, 2): 18, (3, 4, 6, 3): 34}
DEEP = {(3, 4, 6, 3): 50, (3, 4, 23, 3): 101, (3, 8, 36, 3): 152}
ABOVE = ("fc.", "projection_head.", "projector.", "prototypes.", "head.", "predictor.", "contrastive_head.", "heads.")


def resnet(names: Names) -> Iterator[Guess]:
    """conv1, bn1, layer1 to layer4 of blocks with two or three convolutions, downsample.0 and .1 around some."""
    stem = names.shape("conv1.weight")
    if len(stem) != 4 or stem[:2] != (64, 3) or "layer4.0.conv1.weight" not in names or "bn1.running_mean" not in names:
        return
    small = stem[2:] == (3, 3)
    if stem[2:] not in ((7, 7), (3, 3)) or names.starting("layer1.0.shortcut", "layer2.0.shortcut"):
        return
    one, two, three, four = (len(names.indices(rf"layer{stage}\.(\d+)\.")) for stage in (1, 2, 3, 4))
    depths = (one, two, three, four)
    deep = "layer1.0.conv3.weight" in names
    inner = names.shape("layer1.0.conv2.weight")
    width, groups = inner[0], inner[0] // max(inner[1], 1)
    if not deep and (width, groups) != (64, 1):
        return
    per_group = width // groups if deep else 64
    fc, heads = _top(names, 2048 if deep else 512)
    kind = (DEEP if deep else BASIC).get(depths)
    yield Guess(
        architecture="resnet",
        arguments={
            "block": "bottleneck" if deep else "basic",
            "depths": list(depths),
            "groups": groups,
            "width_per_group": per_group,
            "stem": "cifar" if small else "imagenet",
            "fc": fc,
        },
        title=_title(kind, depths, groups, per_group) + (" with the small stem of CIFAR" if small else ""),
        score=0.95 if kind else 0.85,
        reason=f"layer1 to layer4 hold {', '.join(map(str, depths))} blocks of {3 if deep else 2} convolutions",
        keys={name: name for name in names.shapes if not any(name in head.tensors for head in heads if not head.kept)},
        heads=heads,
        preprocess=_prepared(small),
    )


def _title(kind: int | None, depths: tuple[int, ...], groups: int, per_group: int) -> str:
    number = str(kind) if kind else f" of {'-'.join(map(str, depths))} blocks"
    if groups > 1:
        return f"ResNeXt-{number} {groups}x{per_group}d"
    if per_group != 64:
        return f"wide ResNet-{number}-{per_group // 64}"
    return f"ResNet-{number}" if kind else f"ResNet{number}"


def _prepared(small: bool) -> tuple[PreprocessChoice, ...]:
    if small:
        own = PreprocessChoice(
            "CIFAR mean and deviation",
            "a 3x3 first layer without pooling is for pictures of 32 pixels",
            fixed(32, mean=CIFAR_MEAN, std=(0.2470, 0.2435, 0.2616)),
        )
        return (own, *(choice for choice in cifar() if choice.name != own.name))
    return (*photos()[:2], plain(), photos()[3])


def _top(names: Names, features: int) -> tuple[list[int], tuple[Head, ...]]:
    """Widths of the layers on top that are kept, and all that is on top."""
    above = names.starting(*ABOVE)
    linear, two = names.shape("fc.weight"), (names.shape("fc.0.weight"), names.shape("fc.2.weight"))
    if len(linear) == 2 and linear[1] == features and "fc.bias" in names:
        rest = left_head((name for name in above if not name.startswith("fc.")), "projection", None, "projection head")
        words = "as many classes, or the width of a contrastive head" if linear[0] == 128 else "the last layer"
        kind = "projection" if linear[0] == 128 or "encoder" in names.prefix else "classes"
        return [linear[0]], (*kept_head(names, "fc", kind, words), *rest)  # type: ignore[arg-type]
    inner = [name for name in above if name.startswith("fc.")]
    if all(len(shape) == 2 for shape in two) and two[0][1] == features and len(inner) == 4:
        head = Head("projection", two[1][0], tuple(inner), True, "projection head of two layers")
        rest = left_head((name for name in above if name not in inner), "projection", None, "projection head")
        return [two[0][0], two[1][0]], (head, *rest)
    return [], left_head(above, "projection", None, "head of the pretext task or a classifier of another shape")


FAMILIES = (
    (
        "ResNet 18 to 152, wide, ResNeXt; MoCo, SimCLR, DINO, SwAV, VISSL on them",
        "`conv1.weight` 64x3x7x7, `layer1.0.conv1.weight`",
        resnet,
    ),
)
