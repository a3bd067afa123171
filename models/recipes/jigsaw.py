"""The settings of jigsaw puzzles and their named recipes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from models.recipes.base import AlikeConfig, BadConfig, setting, smallest_input
from models.recipes.networks import VGG16, Backbone, check_width, vgg16, width_setting

STRIDE = 2  # of conv1: tiles are small
CELLS = 4  # what conv4_3 of VGG16 is pooled to, in each direction


@dataclass(frozen=True, kw_only=True)
class PuzzleConfig(AlikeConfig):
    """What jigsaw and jigsaw++ share: the cut of the tiles and the context-free network.

    Defaults are those of the released code: crops of 255 px of photos of 256, its AlexNet-CFN, its solver.
    """

    crop: int = setting(255, "side of the training crop, pixels; a third of it is a cell", 75, 510)
    tile: int = setting(64, "side of a tile, pixels; it lies at random in its cell", 25, 170)
    shift: int = setting(2, "most that a channel of a tile is shifted against the others, pixels", 0, 8)
    gray_share: float = setting(0.3, "share of the puzzles that are gray", 0.0, 1.0)
    flip: bool = setting(False, "mirror half of the crops")
    permutations_seed: int = setting(0, "what the set of permutations is drawn from", 0, 2**31)
    network: Literal["alexnet", "vgg16"] = setting("alexnet", "what sees each tile; vgg16: up to conv4_3, a teacher")
    width: float = width_setting()
    norm: Literal["none", "lrn", "batch"] = setting("lrn", "normalisation in the network: the responses', the batch's")
    tile_hidden: int = setting(1024, "width of fc6, which all tiles share", 8, 8192)
    hidden: int = setting(4096, "width of fc7, which sees all tiles", 8, 8192)
    dropout: float = setting(0.5, "share of fc6 and fc7 that a step leaves out", 0.0, 0.9)
    batch_size: int = setting(256, "puzzles per step, one an image", 2, 4096)
    optimiser: Literal["adam", "sgd", "nesterov"] = setting("sgd", "what follows the gradient")
    lr: float = setting(0.01, "learning rate at the start", 1e-8, 10.0)
    weight_decay: float = setting(5e-4, "L2 penalty", 0.0, 1.0)
    steps: int = setting(350_000, "optimiser steps", 1, 10_000_000)
    lr_every: int = setting(100_000, "steps between two decays", 1, 10_000_000)

    @property
    def size(self) -> int:
        """Side of the network's input: a tile."""
        return self.tile

    @property
    def cell(self) -> int:
        """Side of one of the nine cells."""
        return self.crop // 3

    @property
    def cells(self) -> int | None:
        """Cells in each direction that a tile's maps are max-pooled to before fc6; None: left as they are."""
        return CELLS if self.network == VGG16 else None

    @property
    def last_convolution(self) -> str:
        return "conv4_3" if self.network == VGG16 else super().last_convolution

    @property
    def backbone(self) -> Backbone:
        """The encoder that all tiles share. Raises BadConfig."""
        if self.network == VGG16:
            return vgg16(self.width, self.norm, blocks=4)
        return "alexnet-classic", {"stride": STRIDE, "norm": self.norm}

    @property
    def geometry(self) -> str:
        first = f"conv4_3 pooled to {CELLS}x{CELLS}" if self.network == VGG16 else f"conv1 at stride {STRIDE}"
        return f"{super().geometry}: tiles in cells of {self.cell} px, {first}"

    def checked(self) -> "PuzzleConfig":
        super().checked()
        if self.crop % 3:
            raise BadConfig(f"crop must be a multiple of three, got {self.crop}")
        if self.tile + self.shift > self.cell:
            raise BadConfig(f"tile and shift must fit into a cell of {self.cell} px, got {self.tile} and {self.shift}")
        check_width(self.network, self.width)
        least = 8 * CELLS if self.backbone[0] == VGG16 else smallest_input(STRIDE)
        if self.tile < least:
            raise BadConfig(f"tile must be at least {least} px with network {self.network}, got {self.tile}")
        return self


@dataclass(frozen=True, kw_only=True)
class JigsawConfig(PuzzleConfig):
    """*Jigsaw puzzles*: differences between code and paper are listed in the module of the task."""

    permutations: int = setting(1000, "labels: permutations with a large mean Hamming distance", 2, 2000)


# Cells of 53 px and tiles of 40, which end in one cell of conv5: photos of 160 px, two CPU cores.
SMALL: Mapping[str, Any] = {
    "crop": 159,
    "region": 160,
    "tile": 40,
    "flip": True,
    "norm": "batch",
    "tile_hidden": 256,
    "hidden": 512,
    "dropout": 0.0,
    "permutations": 100,
    "optimiser": "nesterov",
    "lr": 0.03,
    "batch_size": 32,
    "steps": 3000,
    "schedule": "cosine",
    "warmup": 100,
}

RECIPES: dict[str, JigsawConfig] = {"paper": JigsawConfig(), "small": JigsawConfig(**SMALL)}
