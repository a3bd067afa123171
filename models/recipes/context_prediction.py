"""The settings of context prediction and its named recipes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from models.recipes.base import AlikeConfig, BadConfig, setting, smallest_input


@dataclass(frozen=True, kw_only=True)
class ContextConfig(AlikeConfig):
    """*Context prediction*: differences from paper and code are listed in the module of the task.

    The rate is the released code's 1e-5 on a sum over pairs, for a mean over the 896 pairs of 56 grids (504 patches).
    """

    crop: int = setting(398, "side of the training crop, pixels; it holds a grid of 3 x 3 patches", 75, 512)
    region: int = setting(512, "side of the central region the crops are drawn from, pixels", 75, 512)
    patch: int = setting(96, "side of a patch, pixels", 25, 160)
    gap: int = setting(48, "distance of two neighbouring patches before jitter, pixels", 0, 96)
    jitter: int = setting(7, "most that a patch is moved from its place, each way, pixels", 0, 32)
    colours: Literal["dropping", "projection", "kept"] = setting(
        "dropping", "against colour fringes: one channel and noise, or no green against magenta, or nothing"
    )
    coarse_share: float = setting(0.33, "share of the patches that are brought down to fewer pixels and back", 0.0, 1.0)
    flip: bool = setting(False, "mirror half of the crops")
    widths: Literal["96-256-384-384-256", "64-192-384-256-256"] = setting(
        "96-256-384-384-256", "channels of conv1 to conv5: AlexNet's, or those of rotation's network"
    )
    stride: int = setting(4, "stride of conv1", 1, 4)
    padding: int = setting(5, "padding of conv1, pixels", 0, 5)
    norm: Literal["none", "batch", "batch_plain"] = setting(
        "batch_plain", "batch normalisation before each ReLU but fc8's; batch_plain: without scale and shift"
    )
    patch_hidden: int = setting(4096, "width of fc6, which both patches share", 8, 8192)
    hidden: int = setting(4096, "width of fc7 and fc8, which see both patches", 8, 8192)
    batch_size: int = setting(56, "grids per step, one an image: 9 patches, 16 pairs each", 2, 4096)
    optimiser: Literal["adam", "sgd", "nesterov"] = setting("sgd", "what follows the gradient")
    lr: float = setting(0.009, "learning rate at the start", 1e-8, 10.0)
    momentum: float = setting(0.0, "momentum; Adam's β₁", 0.0, 0.9999)
    lr_decay: float = setting(1.0, "factor on the learning rate", 0.0, 1.0)
    steps: int = setting(1_000_000, "optimiser steps", 1, 10_000_000)

    @property
    def channels(self) -> tuple[int, ...]:
        """The widths of conv1 to conv5."""
        return tuple(int(width) for width in self.widths.split("-"))

    @property
    def size(self) -> int:
        """Side of the network's input: a patch."""
        return self.patch

    @property
    def grid(self) -> int:
        """Side of three patches with their gaps and jitter, pixels."""
        return 3 * self.patch + 2 * self.gap + 2 * self.jitter

    @property
    def geometry(self) -> str:
        return f"{super().geometry}: 3 x 3 patches, {self.gap} px apart, moved by up to {self.jitter}"

    def checked(self) -> "ContextConfig":
        super().checked()
        if self.grid > self.crop:
            raise BadConfig(f"three patches with gaps and jitter are {self.grid} px, got a crop of {self.crop}")
        if 2 * self.jitter > self.gap:
            raise BadConfig(f"jitter must be at most half of gap, or patches overlap; got {self.jitter} and {self.gap}")
        if self.patch + 2 * self.padding < smallest_input(self.stride):
            raise BadConfig(f"a patch of {self.patch} px is too small for conv1 at stride {self.stride}")
        return self


# Patches of 38 px, half of one apart, fill photos of 160 px and end in one cell of conv5; two CPU cores.
SMALL: Mapping[str, Any] = {
    "crop": 158,
    "region": 160,
    "patch": 38,
    "gap": 18,
    "jitter": 4,
    "flip": True,
    "widths": "64-192-384-256-256",
    "stride": 2,
    "padding": 0,
    "norm": "batch",
    "patch_hidden": 256,
    "hidden": 512,
    "batch_size": 32,
    "optimiser": "nesterov",
    "lr": 0.02,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "steps": 1200,
    "schedule": "cosine",
    "warmup": 50,
}

RECIPES: dict[str, ContextConfig] = {"paper": ContextConfig(), "small": ContextConfig(**SMALL)}
