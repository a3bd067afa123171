"""Jigsaw: nine tiles of a photo are shuffled by one of N permutations, and the network says by which.

Noroozi, Favaro, "Unsupervised Learning of Visual Representations by Solving Jigsaw Puzzles", ECCV 2016,
https://arxiv.org/abs/1603.09246. Where paper and released code differ, taken from the code: 64 px tiles and fc6 of 1024
(paper: 75 px, 512), no mirroring. From the paper: each tile loses its mean and deviation (the code: its mean alone),
30 % of the puzzles are gray, channels are shifted by up to 2 px (the code has neither), 1000 permutations (the code
ships 100 of them). Chosen here: gray puzzles are not shifted, since that would colour them again.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from models.card import LayerCard, Preprocess
from models.encoders import ENCODERS
from models.encoders.initialisation import he
from models.puzzles import Puzzle, PuzzleAnswer, PuzzlePicture
from models.recipes import permutations
from models.recipes.jigsaw import JigsawConfig, PuzzleConfig
from models.recipes.permutations import TILES
from models.resampling import standardise
from models.tasks import classifying
from models.tasks.base import Task, Views
from models.tasks.heads import TilesHead
from models.tasks.pictures import picture
from models.tasks.windows import every_window, mirror, without_green

SHOWN_MEAN, SHOWN_STD = (0.5,), (0.22,)  # how a normalised tile is drawn


@dataclass(frozen=True)
class PuzzleDraw:
    """The random choices for B puzzles; slots and cells are numbered row by row.

    `labels` (B,) are the permutations. Slot i shows the cell `cells` (B, 9) of the image `images` (B, 9). The tile
    begins `corners` (B, 9, 2, 3) pixels down and right in its cell, for each channel. `gray` and `projected` are (B,).
    """

    labels: Tensor
    images: Tensor
    cells: Tensor
    corners: Tensor
    gray: Tensor
    projected: Tensor


class Jigsaw(Task):
    """A context-free network: nine tiles meet only after fc6, so none can be matched by its edges alone."""

    name: ClassVar[str] = "jigsaw"
    paper: ClassVar[str] = "https://arxiv.org/abs/1603.09246"
    puzzles_an_image: ClassVar[int] = 4  # 512 images then make 2,048 puzzles
    config: PuzzleConfig
    head: TilesHead

    def __init__(self, encoder: nn.Module, head: TilesHead, config: PuzzleConfig) -> None:
        super().__init__()
        self.encoder, self.head, self.config = encoder, head, config

    @classmethod
    def build(cls, config: JigsawConfig, rng: torch.Generator) -> Self:
        return cls.made(config, permutations.max_mean(config.permutations, config.permutations_seed), rng)

    @classmethod
    def made(cls, config: PuzzleConfig, chosen: permutations.Set, rng: torch.Generator) -> Self:
        """The untrained network for these permutations."""
        architecture, how = config.backbone
        encoder = ENCODERS[architecture](**how)
        with torch.no_grad():
            maps = encoder.eval()(torch.zeros(1, 3, config.tile, config.tile))
        features = maps.numel() if config.cells is None else maps.shape[1] * config.cells**2
        head = TilesHead(
            features=features,
            tile_hidden=config.tile_hidden,
            hidden=config.hidden,
            permutations=torch.from_numpy(chosen.copy()),
            norm=config.norm == "batch",
            dropout=config.dropout,
            cells=config.cells,
        )
        he(encoder, rng)
        he(head, rng)
        nn.init.normal_(head.get_parameter("top.weight"), std=0.001, generator=rng)  # begins at ln N
        return cls(encoder, head, config)

    def views(self, images: Tensor, rng: torch.Generator, targets: Tensor | None = None) -> Views:  # noqa: ARG002
        """Shuffled tiles: (B, 3, crop, crop) uint8 -> (B, 9, 3, t, t), labels (B,)."""
        pixels = mirror(images, rng) if self.config.flip else images
        drawn = self.draw(len(images), rng)
        return Views(self.tiles(pixels, drawn), drawn.labels.to(images.device))

    def draw(self, count: int, rng: torch.Generator) -> PuzzleDraw:
        """Draw the random choices for so many puzzles; each has its own image."""
        chosen, shift = self.head.permutations.cpu().long(), self.config.shift
        labels = torch.randint(len(chosen), (count,), generator=rng)
        gray = torch.rand(count, generator=rng) < self.config.gray_share
        free = self.config.cell - self.config.tile - shift
        corners = torch.randint(free + 1, (count, TILES, 2, 1), generator=rng)
        shifts = torch.randint(shift + 1, (count, TILES, 2, 3), generator=rng) * ~gray.view(-1, 1, 1, 1)
        own = torch.arange(count)[:, None].expand(count, TILES)
        return PuzzleDraw(labels, own, chosen[labels], corners + shifts, gray, torch.zeros_like(gray))

    def tiles(self, pixels: Tensor, drawn: PuzzleDraw) -> Tensor:
        """Cut, gray or projected, each with mean 0 and deviation 1: (B, 3, S, S) uint8 -> (B, 9, 3, t, t)."""
        device = pixels.device
        cut = cut_tiles(pixels, drawn, self.config.cell, self.config.tile).float().div_(255)
        gray, projected = (coin.to(device).view(-1, 1, 1, 1, 1) for coin in (drawn.gray, drawn.projected))
        cut = torch.where(gray, cut.mean(dim=2, keepdim=True), cut)
        if drawn.projected.any():
            cut = torch.where(projected, without_green(cut), cut)
        return standardise(cut.flatten(0, 1)).view_as(cut)

    def forward(self, views: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(views.flatten(0, 1)))  # (B, 9, 3, t, t) -> (B, N)
        return logits

    def loss(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        return classifying.cross_entropy(outputs, target)

    def measure(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        return classifying.measures(outputs, target)

    def chance(self) -> dict[str, float]:
        return classifying.guessing(len(self.head.permutations))

    def facts(self) -> dict[str, Any]:
        """Which permutations the labels are."""
        chosen = self.head.permutations.cpu().numpy()
        least, mean = permutations.distances(chosen)
        return {
            "permutations": len(chosen),
            "permutations_sha256": permutations.fingerprint(chosen),
            "permutations_least_distance": least,
            "permutations_mean_distance": round(mean, 3),
        }

    def puzzle(self, views: Views, which: int) -> Puzzle:  # noqa: ARG002 - one puzzle an image
        assert views.target is not None
        label, strange = self.truth(views.target[0])
        shown = tuple(self._tile(views, slot, f"tile {slot + 1}") for slot in range(TILES))
        captions = [f"tile {slot + 1}{', of another photo' if slot in strange else ''}" for slot in range(TILES)]
        solution = tuple(self._tile(views, slot, captions[slot]) for slot in self.order(label))
        return Puzzle("Which place in the photo does each tile come from?", shown, 3, self._choices, label, solution)

    def answer(self, outputs: Tensor, views: Views, which: int) -> PuzzleAnswer:  # noqa: ARG002 - one puzzle an image
        """The tiles in the order in which the network puts them."""
        assert views.target is not None
        said = classifying.answer(outputs[0], self._choices)
        assert said.choice is not None
        label, strange = self.truth(views.target[0])
        order, right = self.order(said.choice), self.order(label)
        drawn = []
        for place, slot in enumerate(order):
            note = ", of another photo" if slot in strange else "" if slot == right[place] else ", misplaced"
            drawn.append(self._tile(views, slot, f"tile {slot + 1}{note}"))
        return PuzzleAnswer(said.words, said.probabilities, tuple(drawn))

    def truth(self, target: Tensor) -> tuple[int, tuple[int, ...]]:
        """The label of one puzzle, and the slots whose tiles are of another image."""
        return int(target), ()

    def order(self, label: int) -> list[int]:
        """The slot whose tile belongs in each of the nine cells."""
        found: list[int] = unshuffled(self.head.permutations[label]).tolist()
        return found

    @property
    def _choices(self) -> tuple[str, ...]:
        """Each permutation in words: the places, counted row by row, of tile 1, 2, ... 9."""
        rows = (self.head.permutations.long() + 1).tolist()
        return tuple(" ".join(map(str, row)) for row in rows)

    def _tile(self, views: Views, slot: int, caption: str) -> PuzzlePicture:
        return picture(caption, views.inputs[0, slot], SHOWN_MEAN, SHOWN_STD)

    def architecture(self) -> dict[str, Any]:
        architecture, how = self.config.backbone
        return {"architecture": architecture, "encoder": dict(how), "head": None}

    def head_layers(self) -> tuple[LayerCard, ...]:
        return ()

    def preprocess(self) -> Preprocess:
        return Preprocess(self.config.crop, self.config.region, self.config.size, None, "per_crop")


def unshuffled(permutation: Tensor) -> Tensor:
    """The slots in the order of the cells that they show: tiles[unshuffled(p)] is the photo again. (9,) -> (9,)."""
    return permutation.long().argsort()


def cut_tiles(pixels: Tensor, drawn: PuzzleDraw, cell: int, tile: int) -> Tensor:
    """The tile of every slot, from its image and cell: (B, C, 3 cell, 3 cell) -> (B, 9, C, tile, tile)."""
    device = pixels.device
    grid = torch.stack([drawn.cells // 3, drawn.cells % 3], dim=-1) * cell  # (B, 9, 2)
    rows, columns = (grid[..., None] + drawn.corners).to(device).unbind(2)  # (B, 9, 3) each
    images, channels = drawn.images.to(device)[..., None], torch.arange(3, device=device)
    return every_window(pixels, tile)[images, channels, rows, columns]
