"""Jigsaw++: a jigsaw puzzle in which up to two tiles are of another photo.

Noroozi, Vinjimoor, Favaro, Pirsiavash, "Boosting Self-Supervised Learning via Knowledge Transfer", CVPR 2018,
https://arxiv.org/abs/1805.00385. Where paper and released code differ the code was taken: half of the puzzles are gray
and half of the others lose green against magenta, which leaves a quarter in colour (paper: 70 % are gray). Chosen here:
an intruder is gray where its puzzle is (in the code each photo has its own coin, and a lone gray tile gives itself
away); puzzles that were projected are not shifted; tiles are brought to deviation 1, where the code multiplies by 50
for the small weights of its Caffe start; tiles begin at 0 to 19 px and not at 0 to 18, so that they use their cell.
"""

from dataclasses import replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from models.recipes import permutations
from models.recipes.jigsaw_pp import JigsawPPConfig
from models.recipes.permutations import TILES
from models.tasks import classifying
from models.tasks.base import Views
from models.tasks.jigsaw import Jigsaw, PuzzleDraw
from models.tasks.windows import mirror


class JigsawPP(Jigsaw):
    """The label is the permutation alone; any two labels differ in more slots than intruders can hide."""

    name: ClassVar[str] = "jigsaw_pp"
    paper: ClassVar[str] = "https://arxiv.org/abs/1805.00385"
    config: JigsawPPConfig

    @classmethod
    def build(cls, config: JigsawPPConfig, rng: torch.Generator) -> Self:  # type: ignore[override]
        chosen = permutations.min_distance(config.permutations, config.distance, config.permutations_seed)
        return cls.made(config, chosen, rng)

    def views(self, images: Tensor, rng: torch.Generator, targets: Tensor | None = None) -> Views:  # noqa: ARG002
        """Shuffled tiles with intruders: (B, 3, crop, crop) uint8 -> (B, 9, 3, t, t).

        The target (B, 10) is the label, and for each slot whether its tile is of another image of the batch. Raises
        ValueError for a single image.
        """
        pixels = mirror(images, rng) if self.config.flip else images
        drawn = self.draw(len(images), rng)
        strange = (drawn.images != torch.arange(len(images))[:, None]).long()  # (B, 9)
        target = torch.cat([drawn.labels[:, None], strange], dim=1).to(images.device)
        return Views(self.tiles(pixels, drawn), target)

    def draw(self, count: int, rng: torch.Generator) -> PuzzleDraw:
        drawn = super().draw(count, rng)
        projected = (torch.rand(count, generator=rng) < self.config.projected_share) & ~drawn.gray
        level = drawn.corners.amin(dim=3, keepdim=True).expand_as(drawn.corners)  # the same for all channels
        corners = torch.where(projected.view(-1, 1, 1, 1), level, drawn.corners)
        drawn = replace(drawn, corners=corners, projected=projected)
        return with_intruders(drawn, self.config.intruders, rng) if self.config.intruders else drawn

    def loss(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        assert target is not None
        return super().loss(outputs, target[:, 0])

    def measure(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        """Loss and accuracy, and the accuracy on puzzles of 0, 1, ... intruders, which is NaN for other puzzles."""
        assert target is not None
        found = classifying.measures(outputs, target[:, 0])
        count = target[:, 1:].sum(dim=1)
        nothing = torch.full_like(found["accuracy"], torch.nan)
        for number in range(self.config.intruders + 1):
            found[f"accuracy_{number}_intruders"] = torch.where(count == number, found["accuracy"], nothing)
        return found

    def chance(self) -> dict[str, float]:
        found = super().chance()
        split = (f"accuracy_{number}_intruders" for number in range(self.config.intruders + 1))
        return {**found, **dict.fromkeys(split, found["accuracy"])}

    def truth(self, target: Tensor) -> tuple[int, tuple[int, ...]]:
        return int(target[0]), tuple(target[1:].nonzero().flatten().tolist())

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "intruders_at_most": self.config.intruders}


def with_intruders(drawn: PuzzleDraw, most: int, rng: torch.Generator) -> PuzzleDraw:
    """Put 0 to `most` tiles of one other image of the batch into random slots of each puzzle; labels stay.

    Their number is uniform; slots differ from each other, and so do the cells that the tiles are cut from. Raises
    ValueError for a batch of one.
    """
    count = len(drawn.labels)
    if count < 2:
        raise ValueError("intruders need at least two images: they come from another one of the batch")
    number = torch.randint(most + 1, (count, 1), generator=rng)
    rank = torch.rand(count, TILES, generator=rng).argsort(dim=1)  # a random order of the slots
    strange = rank < number  # (B, 9)
    other = (torch.arange(count) + torch.randint(1, count, (count,), generator=rng)) % count
    cells = torch.rand(count, TILES, generator=rng).argsort(dim=1)
    return replace(
        drawn,
        images=torch.where(strange, other[:, None], drawn.images),
        cells=torch.where(strange, cells, drawn.cells),
    )
