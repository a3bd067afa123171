"""The settings of inpainting and its named recipes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from models.recipes.base import AlikeConfig, BadConfig, setting

KERNEL, STRIDE = 11, 4  # of conv1


@dataclass(frozen=True, kw_only=True)
class InpaintingConfig(AlikeConfig):
    """*Context encoders*: the module of the task lists what is the paper's and what is the code's.

    227 px end in the paper's 6 x 6 cells, from which four layers of transposed convolutions make 96 px.
    """

    crop: int = setting(227, "side of the training crop, pixels", 64, 512)
    flip: bool = setting(True, "mirror half of the crops")
    widths: Literal["96-256-384-384-256", "64-192-384-256-256"] = setting(
        "96-256-384-384-256", "channels of conv1 to conv5: AlexNet's, or those of rotation's network"
    )
    dense: bool = setting(False, "keep a cell for every 16 pixels; else AlexNet's own geometry and last pooling")
    norm: Literal["none", "batch"] = setting("batch", "batch normalisation after each convolution of the encoder")
    ups: int = setting(4, "transposed convolutions of the decoder, each of which doubles the side of the map", 1, 6)
    decoder: int = setting(
        64, "channels that the decoder's last layer sees; each one before it sees twice as many", 2, 512
    )
    overlap: int = setting(4, "band of what is filled in that the network sees, pixels", 1, 32)
    overlap_weight: float = setting(10.0, "weight of the squared error in that band", 0.0, 1000.0)
    adversarial: float = setting(
        0.001, "weight of the adversarial term, and 1 less it that of the error; 0: no discriminator", 0.0, 1.0
    )
    discriminator: int = setting(64, "channels of the discriminator's first layer", 2, 512)
    discriminator_lr: float = setting(2e-4, "learning rate of the discriminator, which does not fall", 1e-8, 10.0)
    batch_size: int = setting(64, "images per step", 2, 4096)
    lr: float = setting(2e-3, "learning rate at the start", 1e-8, 10.0)
    momentum: float = setting(0.5, "momentum; Adam's β₁, the discriminator's too", 0.0, 0.9999)
    lr_decay: float = setting(1.0, "factor on the learning rate", 0.0, 1.0)

    @property
    def channels(self) -> tuple[int, ...]:
        """The widths of conv1 to conv5."""
        return tuple(int(width) for width in self.widths.split("-"))

    @property
    def cells(self) -> int:
        """Side of the encoder's map."""
        if self.dense:
            return -(-self.crop // 16)
        side = (self.crop - KERNEL) // STRIDE + 1
        for _ in range(3):  # poolings
            side = (side - 3) // 2 + 1
        return side

    @property
    def filled(self) -> int:
        """Side of the central square that the decoder makes, pixels: the hole, and the overlap on its four sides."""
        return int(self.cells * 2**self.ups)

    @property
    def hole(self) -> int:
        """Side of the central square that the encoder does not see, pixels."""
        return self.filled - 2 * self.overlap

    @property
    def geometry(self) -> str:
        return f"{super().geometry}, a hole of {self.hole} px, {self.filled} px filled in"

    def checked(self) -> "InpaintingConfig":
        super().checked()
        if self.cells < 1:
            raise BadConfig(f"a crop of {self.crop} px leaves no cell of conv5")
        if self.filled >= self.crop:
            raise BadConfig(
                f"{self.cells} cells and {self.ups} layers fill {self.filled} px, got a crop of {self.crop}: fewer ups"
            )
        if self.filled < 16:
            raise BadConfig(f"{self.cells} cells and {self.ups} layers fill {self.filled} px, at least 16 are needed")
        if self.hole < 1:
            raise BadConfig(f"an overlap of {self.overlap} px leaves no hole of the {self.filled} px filled in")
        return self


# 128 px and a hole in its middle are those of the paper's inpainting; here they end in 8 x 8 cells; two CPU cores.
SMALL: Mapping[str, Any] = {
    "crop": 128,
    "region": 160,
    "widths": "64-192-384-256-256",
    "dense": True,
    "ups": 3,
    "decoder": 32,
    "discriminator": 16,
    "batch_size": 32,
    "steps": 600,
    "schedule": "cosine",
    "warmup": 50,
}

RECIPES: dict[str, InpaintingConfig] = {"paper": InpaintingConfig(), "small": InpaintingConfig(**SMALL)}
