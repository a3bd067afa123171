"""The settings of counting and its named recipes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from models.recipes.base import BadConfig, ImageConfig, Labels, setting, smallest_input

KERNELS = ("area", "linear", "cubic", "lanczos")


def _kernels(text: str) -> str:
    """The kernels as they are recorded: known ones, each once, in the order of KERNELS."""
    asked = [name.strip() for name in text.split(",")]
    if unknown := [name for name in asked if name not in KERNELS]:
        raise BadConfig(f"kernels must be some of {', '.join(KERNELS)}, got {unknown[0][:40]!r}")
    return ",".join(name for name in KERNELS if name in asked)


@dataclass(frozen=True, kw_only=True)
class CountingConfig(ImageConfig):
    """*Learning to Count*: the defaults are the paper's, or stated choices where it is silent (docs/tasks.md)."""

    crop: int = setting(228, "side of the training crop, pixels; tiles and downscaled image have half of it", 32, 512)
    stride: int = setting(4, "stride of conv1", 1, 4)
    width: float = setting(1.0, "share of the paper's channels in conv1 to conv5", 1 / 16, 1.0)
    hidden: int = setting(4096, "width of fc6 and fc7", 8, 8192)
    units: int = setting(1000, "length K of the count vector", 2, 8192)
    margin: float = setting(10.0, "contrastive margin M, on the squared norm", 0.0, 1e6)
    gray_share: float = setting(0.67, "share of iterations that see gray images", 0.0, 1.0)
    flip: bool = setting(False, "mirror half of the crops")
    normalise: Literal["crop", "input"] = setting("crop", "what mean and standard deviation are computed over")
    kernels: str = setting(",".join(KERNELS), f"what D downscales with, drawn for each step: of {', '.join(KERNELS)}")
    hinge: Literal["vector", "unit"] = setting("vector", "what the margin is asked of: the whole vector, or every unit")
    conv1_std: float = setting(0.0, "standard deviation of conv1 at the start; 0: He initialisation", 0.0, 1.0)
    head_init: Literal["he", "uniform"] = setting("he", "weights of the head at the start; uniform: PyTorch's own")
    start_norm: float = setting(0.0, "mean squared norm of φ(Dx) at step 0, by scaling conv1; 0: as drawn", 0.0, 1e6)
    batch_size: int = setting(128, "images per step; each is seen five times", 2, 4096)
    steps: int = setting(200_000, "optimiser steps", 1, 10_000_000)
    lr_decay: float = setting(0.9, "factor on the learning rate", 0.0, 1.0)
    lr_every: int = setting(10_000, "steps between two decays", 1, 10_000_000)
    conv1_lr: float = setting(1.0, "factor on the learning rate of conv1", 0.0, 1000.0)
    constraints: Literal["tiles", "both", "annotation"] = setting(
        "tiles", "what the counts must obey: that tiles add up, the gallery's named counts, or both"
    )
    annotation_weight: float = setting(1.0, "weight of the squared error of the named counts", 0.0, 1e6)

    @property
    def targets_from(self) -> Labels:
        return "none" if self.constraints == "tiles" else "counts"

    def for_classes(self, count: int) -> "CountingConfig":
        if self.units < count:
            raise BadConfig(f"the gallery names {count} things, which needs as many units; units is {self.units}")
        return self

    @property
    def size(self) -> int:
        """Side of the network's input: half of the crop, for tiles and downscaled image alike."""
        return self.crop // 2

    @property
    def kernel_names(self) -> tuple[str, ...]:
        """The kernels of `kernels`, in the order of KERNELS."""
        asked = {name.strip() for name in self.kernels.split(",")}
        return tuple(name for name in KERNELS if name in asked)

    @property
    def collapsed_cost(self) -> float:
        """The loss of a network that counts nothing: the whole margin, once or for every unit."""
        return self.margin * (self.units if self.hinge == "unit" else 1)

    @property
    def lr_factors(self) -> Mapping[str, float]:
        return {"encoder.conv1.": self.conv1_lr}

    @property
    def geometry(self) -> str:
        cells = f"{self.size} px inputs, conv1 at stride {self.stride}"
        return f"native crops of {self.crop} px from regions of {self.region} px, {cells}"

    def checked(self) -> "CountingConfig":
        if self.crop % 2 or self.crop > self.region:
            raise BadConfig(f"crop must be even and at most region, got crop {self.crop} and region {self.region}")
        if smallest_input(self.stride) > self.size:
            raise BadConfig(f"a crop of {self.crop} px is too small for conv1 at stride {self.stride}")
        return replace(self, kernels=_kernels(self.kernels))


# The break-it labs: one run that is sound at a small scale, and four that differ from it in a single setting. Stride 4
# and He's start make them quick, and close enough to the cliff of the learning rate to see it.
HEALTHY = CountingConfig(
    crop=144, region=160, stride=4, hidden=1024, units=256, flip=True, batch_size=64, steps=300, held_out=128
)

RECIPES: dict[str, CountingConfig] = {
    "paper": CountingConfig(),
    # For photos with a shorter side of 160 px and two CPU cores: native crops, never enlarged before D and T_j;
    # conv1 at stride 2 keeps the paper's 3x3x256 from 72 px inputs.
    "small": CountingConfig(
        crop=144, region=160, stride=2, hidden=1024, units=256, flip=True, conv1_std=0.01, batch_size=64, steps=2000
    ),
    # How the bundled counting-photos was trained, in about an hour on two CPU cores.
    "sample": CountingConfig(
        crop=144,
        region=160,
        hidden=1024,
        units=256,
        flip=True,
        conv1_std=0.01,
        start_norm=2.0,
        conv1_lr=5.0,
        batch_size=64,
        steps=2600,
        warmup=300,
        schedule="cosine",
    ),
    # Both constraints, on drawn scenes of 160 px: the crop is the whole scene, since that is what its counts are of.
    "annotated": CountingConfig(
        crop=160,
        region=160,
        hidden=1024,
        units=256,
        flip=True,
        gray_share=0.0,
        conv1_std=0.01,
        start_norm=2.0,
        conv1_lr=5.0,
        batch_size=64,
        steps=2000,
        warmup=200,
        schedule="cosine",
        constraints="both",
    ),
    "healthy": HEALTHY,
    "collapse": replace(HEALTHY, lr=3e-4),
    "one-kernel": replace(HEALTHY, kernels="area"),
    "no-margin": replace(HEALTHY, margin=0.0),
    "per-unit-hinge": replace(HEALTHY, hinge="unit"),
}
