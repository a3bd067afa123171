"""The settings of split-brain autoencoders and their named recipes."""

from dataclasses import dataclass

from models.recipes.base import BadConfig, setting
from models.recipes.colorization import SMALL, ColoursConfig


@dataclass(frozen=True, kw_only=True)
class SplitBrainConfig(ColoursConfig):
    """*Split-brain autoencoders*: differences from the paper are listed in the module of the task."""

    hidden: int = setting(4096, "width of fc6 and fc7, of both halves together", 8, 8192)

    def checked(self) -> "SplitBrainConfig":
        super().checked()
        if self.hidden % 2:
            raise BadConfig(f"hidden is shared out to two halves, and must be even, got {self.hidden}")
        return self


RECIPES: dict[str, SplitBrainConfig] = {"paper": SplitBrainConfig(), "small": SplitBrainConfig(**SMALL)}
