"""Networks for pictures of 32 pixels: residual networks with `linear` on top, and RotNet's Network in Network."""

from collections.abc import Iterator

from models.foreign.names import Names, kept_head
from models.foreign.preparations import cifar
from models.foreign.report import Guess, PreprocessChoice


def resnet(names: Names) -> Iterator[Guess]:
    """conv1 of 3x3, layer1 to layer3 or layer4, shortcuts without weights (option A) or `shortcut.0`, `linear`."""
    stem = names.shape("conv1.weight")
    stages = names.indices(r"layer(\d)\.\d+\.")
    if len(stem) != 4 or stem[1:] != (3, 3, 3) or stages not in ([1, 2, 3], [1, 2, 3, 4]):
        return
    if names.starting("layer2.0.downsample"):
        return
    depths = [len(names.indices(rf"layer{stage}\.(\d+)\.")) for stage in stages]
    widths = [names.shape(f"layer{stage}.0.conv2.weight")[0] for stage in stages]
    deep = "layer1.0.conv3.weight" in names
    option = "B" if names.starting("layer2.0.shortcut") else "A"
    top = names.rows("linear.weight")
    rows = "linear.weight" if top else "fc.weight"
    keys = {name: name.replace("fc.", "linear.", 1) if name.startswith("fc.") else name for name in names.shapes}
    number = (3 if deep else 2) * sum(depths) + 2
    yield Guess(
        architecture="cifar-resnet",
        arguments={
            "depths": depths,
            "widths": widths,
            "bottleneck": deep,
            "option": option,
            "classes": names.rows(rows),
        },
        title=f"ResNet-{number} for CIFAR",
        score=0.95,
        reason=f"conv1 of 3x3, {len(stages)} stages of {depths[0]} and more blocks, shortcuts of option {option}",
        keys=keys,
        heads=kept_head(names, rows.removesuffix(".weight"), "classes", "the last layer"),
        preprocess=cifar(),
    )


def nin(names: Names) -> Iterator[Guess]:
    """Blocks of `Block1_ConvB1.layers.Conv` and so on; the last stage is the classifier."""
    root = "_feature_blocks." if names.starting("_feature_blocks.") else ""
    if f"{root}0.Block1_ConvB1.layers.Conv.weight" not in names:
        return
    widths, kernels, keys = [], [], {}
    for stage in names.indices(rf"{root}(\d+)\.Block"):
        outs = []
        for place in names.indices(rf"{root}{stage}\.Block{stage + 1}_ConvB(\d)\.layers\.Conv\.weight$"):
            block = f"{root}{stage}.Block{stage + 1}_ConvB{place}.layers."
            shape = names.shape(f"{block}Conv.weight")
            outs.append(shape[0])
            if place == 1:
                kernels.append(shape[2])
            for name in names.starting(block):
                theirs, _, last = name.removeprefix(block).partition(".")
                ours = {"Conv": "conv", "BatchNorm": "bn"}.get(theirs, theirs)
                keys[name] = f"stages.{stage}.{ours}{place}.{last}"
        widths.append(outs)
    top = f"{root}{len(widths)}.Classifier"
    rows = names.rows(f"{top}.weight")
    keys |= {name: f"classifier.{name.removeprefix(f'{top}.')}" for name in names.starting(f"{top}.")}
    rotations = rows == 4
    common, own, centred = cifar()
    yield Guess(
        architecture="nin",
        arguments={
            "channels": names.shape(f"{root}0.Block1_ConvB1.layers.Conv.weight")[1],
            "widths": widths,
            "kernels": kernels,
            "classes": rows,
        },
        title="Network in Network of RotNet",
        score=0.95,
        reason=f"{len(widths)} stages of Block1_ConvB1 and so on",
        keys=keys,
        heads=kept_head(
            names,
            top,
            "rotations" if rotations else "classes",
            "four: as many as there are rotations" if rotations else "the last layer",
        ),
        preprocess=(PreprocessChoice(own.name, "RotNet's own code on CIFAR", own.preprocess), common, centred),
        assumed=("mean-pooling after the middle stages, as in RotNet's code",),
    )


FAMILIES = (
    ("ResNet 20 to 110 for CIFAR", "`layer1.0.conv1.weight` 16x16x3x3, `linear.weight`", resnet),
    ("Network in Network of RotNet", "`_feature_blocks.0.Block1_ConvB1.layers.Conv.weight`", nin),
)
