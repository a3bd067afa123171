"""The settings of jigsaw++ and its named recipes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.recipes.base import BadConfig, setting
from models.recipes.jigsaw import SMALL, PuzzleConfig
from models.recipes.permutations import TooFewPermutations, always_found, bound, min_distance


@dataclass(frozen=True, kw_only=True)
class JigsawPPConfig(PuzzleConfig):
    """*Jigsaw++*: up to two tiles are of another image."""

    permutations: int = setting(701, "labels: permutations that differ in at least `distance` slots", 2, 2000)
    distance: int = setting(3, "least Hamming distance of two permutations, more than there are intruders", 2, 9)
    intruders: int = setting(2, "most tiles of a puzzle that are of another image", 0, 8)
    gray_share: float = setting(0.5, "share of the puzzles that are gray", 0.0, 1.0)
    projected_share: float = setting(0.5, "share of the others that lose green against magenta", 0.0, 1.0)

    def checked(self) -> "JigsawPPConfig":
        super().checked()
        if self.distance <= self.intruders:
            raise BadConfig(
                f"distance must be more than intruders, got {self.distance} and {self.intruders}:"
                " intruders may hide the slots in which two permutations differ"
            )
        if self.permutations > bound(self.distance):
            raise BadConfig(
                f"permutations must be at most {bound(self.distance)}: no more differ in at least {self.distance}"
                f" slots, got {self.permutations}"
            )
        if self.permutations > always_found(self.distance):
            try:
                min_distance(self.permutations, self.distance, self.permutations_seed)
            except TooFewPermutations as error:
                raise BadConfig(f"permutations: {error}") from error
        return self


# The strong network of the knowledge-transfer chain, at a quarter of its width: two CPU cores, about ten minutes.
TEACHER: Mapping[str, Any] = {
    **SMALL,
    "network": "vgg16",
    "width": 0.25,
    "crop": 108,
    "region": 112,
    "tile": 32,
    "steps": 2400,
}

RECIPES: dict[str, JigsawPPConfig] = {
    "paper": JigsawPPConfig(),
    "small": JigsawPPConfig(**SMALL),
    "teacher": JigsawPPConfig(**TEACHER),
}
