"""Other networks of torchvision, recognised by one or two tensors that no other network has."""

from collections.abc import Iterator

from models.foreign.names import Names
from models.foreign.preparations import photos
from models.foreign.report import Guess, Head, Shape

# A name, its shape, and one that only the deeper of two has (or has not, with a dash before it).
CLUES: dict[str, tuple[tuple[str, Shape], ...]] = {
    "convnext_tiny": (("features.7.2.block.3.weight", (3072, 768)), ("-features.5.9.layer_scale", ())),
    "convnext_small": (("features.7.2.block.3.weight", (3072, 768)), ("features.5.26.layer_scale", (384, 1, 1))),
    "convnext_base": (("features.7.2.block.3.weight", (4096, 1024)),),
    "convnext_large": (("features.7.2.block.3.weight", (6144, 1536)),),
    "mobilenet_v2": (("features.18.0.weight", (1280, 320, 1, 1)),),
    "mobilenet_v3_small": (("features.12.0.weight", (576, 96, 1, 1)),),
    "mobilenet_v3_large": (("features.16.0.weight", (960, 160, 1, 1)),),
    "densenet121": (("features.denseblock4.denselayer16.conv1.weight", (128, 992, 1, 1)),),
    "densenet169": (("features.denseblock4.denselayer32.conv1.weight", (128, 1632, 1, 1)),),
    "densenet201": (("features.denseblock4.denselayer32.conv1.weight", (128, 1888, 1, 1)),),
    "densenet161": (("features.denseblock4.denselayer24.conv1.weight", (192, 2160, 1, 1)),),
    "squeezenet1_0": (("features.0.weight", (96, 3, 7, 7)), ("features.12.squeeze.weight", (64, 512, 1, 1))),
    "squeezenet1_1": (("features.0.weight", (64, 3, 3, 3)), ("features.12.squeeze.weight", (64, 512, 1, 1))),
    "shufflenet_v2_x0_5": (("conv5.0.weight", (1024, 192, 1, 1)),),
    "shufflenet_v2_x1_0": (("conv5.0.weight", (1024, 464, 1, 1)),),
    "shufflenet_v2_x1_5": (("conv5.0.weight", (1024, 704, 1, 1)),),
    "shufflenet_v2_x2_0": (("conv5.0.weight", (2048, 976, 1, 1)),),
    "mnasnet0_5": (("layers.14.weight", (1280, 160, 1, 1)),),
    "mnasnet1_0": (("layers.14.weight", (1280, 320, 1, 1)),),
    "googlenet": (("inception5b.branch1.conv.weight", (384, 832, 1, 1)),),
    "swin_t": (("features.7.1.mlp.0.weight", (3072, 768)), ("-features.5.6.norm1.weight", ())),
    "swin_s": (("features.7.1.mlp.0.weight", (3072, 768)), ("features.5.6.norm1.weight", (384,))),
    "swin_b": (("features.7.1.mlp.0.weight", (4096, 1024)),),
    "efficientnet_b0": (("features.8.0.weight", (1280, 320, 1, 1)), ("-features.2.2.block.0.0.weight", ())),
    "efficientnet_b1": (
        ("features.8.0.weight", (1280, 320, 1, 1)),
        ("features.2.2.block.0.0.weight", (144, 24, 1, 1)),
    ),
    "efficientnet_b2": (("features.8.0.weight", (1408, 352, 1, 1)),),
    "efficientnet_b3": (("features.8.0.weight", (1536, 384, 1, 1)),),
    "efficientnet_b4": (("features.8.0.weight", (1792, 448, 1, 1)),),
    "efficientnet_v2_s": (("features.7.0.weight", (1280, 256, 1, 1)),),
    "efficientnet_v2_m": (("features.8.0.weight", (1280, 512, 1, 1)), ("-features.7.6.block.0.0.weight", ())),
    "regnet_y_400mf": (("trunk_output.block4.block4-0.proj.0.weight", (440, 208, 1, 1)),),
    "regnet_y_800mf": (("trunk_output.block4.block4-0.proj.0.weight", (784, 320, 1, 1)),),
    "regnet_y_16gf": (("trunk_output.block4.block4-0.proj.0.weight", (3024, 1232, 1, 1)),),
    "regnet_y_32gf": (("trunk_output.block4.block4-0.proj.0.weight", (3712, 1392, 1, 1)),),
    "regnet_x_400mf": (("trunk_output.block4.block4-0.proj.0.weight", (400, 160, 1, 1)),),
    "regnet_x_800mf": (("trunk_output.block4.block4-0.proj.0.weight", (672, 288, 1, 1)),),
}
TOPS = ("fc.weight", "head.weight", "head.fc.weight", "heads.head.weight")


def by_clues(names: Names) -> Iterator[Guess]:
    """The networks of torchvision whose characteristic tensors the file has; a tensor-by-tensor comparison decides."""
    for model, clues in CLUES.items():
        if all(_has(names, name, shape) for name, shape in clues):
            yield _guess(names, model)


def _has(names: Names, name: str, shape: Shape) -> bool:
    return names.shape(name) == shape if not name.startswith("-") else name[1:] not in names


def _guess(names: Names, model: str) -> Guess:
    weight = last_linear(names)
    heads: tuple[Head, ...] = ()
    if weight is not None:
        layer = weight.removesuffix(".weight")
        head = Head("classes", names.rows(weight), names.starting(f"{layer}."), True, "the last layer")
        heads = (head,)
    return Guess(
        architecture="torchvision",
        arguments={"model": model, "classes": names.rows(weight) if weight else None},
        title=f"{model} of torchvision",
        score=0.9,
        reason="it has " + ", ".join(name for name, shape in CLUES[model] if shape),
        keys={name: name for name in names.shapes},
        heads=heads,
        preprocess=photos(),
    )


def last_linear(names: Names) -> str | None:
    """The weights of the last linear layer."""
    places = names.indices(r"classifier\.(\d+)\.weight$")
    numbered = [f"classifier.{places[-1]}.weight"] if places else []
    for name in (*numbered, "classifier.weight", *TOPS):
        if name in names:
            return name
    return None


FAMILIES = (
    (
        "other networks of torchvision: " + ", ".join(CLUES),
        "`features.7.2.block.3.weight`, `features.18.0.weight` and the like",
        by_clues,
    ),
)
