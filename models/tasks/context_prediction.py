"""Context prediction: of two patches of a photo, on which of eight sides of the first does the second lie?

Doersch, Gupta, Efros, "Unsupervised Visual Representation Learning by Context Prediction", ICCV 2015,
https://arxiv.org/abs/1505.05192. From the paper: patches of 96 px, half a patch apart, moved by up to 7 px; noise with
a hundredth of the kept channel's deviation. From the released code: batch normalisation without scale and shift, plain
SGD. Otherwise here: one grid of 3 x 3 patches of each crop (code: four grids of the whole photo) and its 16 pairs with
the middle, both ways, so that every answer is as common; regions have one size (paper: 150 to 450 thousand pixels);
patches have deviation 1 (code: RMS 50); conv1 and conv2 are normalised by batch too (code: by responses); coarse
patches of the same cell are as coarse within a step.
"""

from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.card import LayerCard, Preprocess
from models.encoders.alexnet import AlexNet
from models.encoders.initialisation import he
from models.puzzles import Puzzle, PuzzleAnswer, PuzzlePicture
from models.recipes.context_prediction import ContextConfig
from models.resampling import standardise
from models.tasks import classifying
from models.tasks.base import Task, Views
from models.tasks.heads import PairsHead
from models.tasks.pictures import picture
from models.tasks.windows import every_window, mirror, without_green

SIDES = ("above left", "above", "above right", "to the left", "to the right", "below left", "below", "below right")
MIDDLE = 4  # of the nine cells, row by row
AROUND = (0, 1, 2, 3, 5, 6, 7, 8)  # the cell that lies there, seen from the middle
# The middle and each neighbour, then each neighbour and the middle, which lies on the other side of it: 7 less a side.
PAIRS = tuple((MIDDLE, cell) for cell in AROUND) + tuple((cell, MIDDLE) for cell in AROUND)
LABELS = (*range(8), *range(7, -1, -1))
NOISE = 0.01  # of the kept channel's deviation
COARSEST, FINEST = 10 / 96, 95 / 96  # of a patch's side
SHOWN_MEAN, SHOWN_STD = (0.5,), (0.22,)  # how a normalised patch is drawn


class ContextPrediction(Task):
    """Two patches meet only after fc6.

    All nine patches of a grid pass the network once, and sixteen pairs of them are questions.
    """

    name: ClassVar[str] = "context_prediction"
    paper: ClassVar[str] = "https://arxiv.org/abs/1505.05192"
    puzzles_an_image: ClassVar[int] = 4  # grids
    config: ContextConfig
    head: PairsHead

    def __init__(self, encoder: nn.Module, head: PairsHead, config: ContextConfig) -> None:
        super().__init__()
        self.encoder, self.head, self.config = encoder, head, config

    @classmethod
    def build(cls, config: ContextConfig, rng: torch.Generator) -> Self:
        encoder = AlexNet(**_encoder(config))
        with torch.no_grad():
            features = encoder.eval()(torch.zeros(1, 3, config.patch, config.patch)).numel()
        head = PairsHead(
            features=features,
            each=config.patch_hidden,
            hidden=config.hidden,
            pairs=PAIRS,
            outputs=len(SIDES),
            norm=config.norm,
        )
        he(encoder, rng)
        he(head, rng)
        nn.init.normal_(head.get_parameter("top.weight"), std=0.001, generator=rng)  # begins at ln 8
        return cls(encoder, head, config)

    def views(self, images: Tensor, rng: torch.Generator, targets: Tensor | None = None) -> Views:  # noqa: ARG002
        """A grid of patches of each: (B, 3, crop, crop) uint8 -> (B, 9, 3, p, p), sides of its pairs (B, 16)."""
        pixels = mirror(images, rng) if self.config.flip else images
        patches = self.patches(pixels, corners(len(images), self.config, rng), rng)
        return Views(patches, torch.tensor(LABELS, device=images.device).expand(len(images), -1))

    def patches(self, pixels: Tensor, starts: Tensor, rng: torch.Generator) -> Tensor:
        """The patches that begin there as the network sees them: (B, 3, S, S), (B, 9, 2) -> (B, 9, 3, p, p)."""
        patches = cut(pixels, starts, self.config.patch).float().div_(255)
        patches = coarsened(patches, self.config.coarse_share, rng)
        if self.config.colours == "dropping":
            patches = one_channel(patches, rng)
        elif self.config.colours == "projection":
            patches = without_green(patches)
        return standardise(patches.flatten(0, 1)).view_as(patches)

    def shortcuts(self, images: Tensor, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        """Where in the crop a patch's middle lies, row and column in sides of the crop, read from its fc6 alone.

        In the paper the error is .255 for the tenth of the photos in which it is smallest, .371 by chance, and .321
        after projection. Where a grid fills the crop, as in `small`, the place is little more than the number of the
        cell.
        """
        starts = corners(len(images), self.config, rng)
        # One by one: within a batch the coarse patches of a cell are equally coarse, which would tell the cell.
        each = (slice(place, place + 1) for place in range(len(images)))
        seen = torch.cat([self.patches(images[one], starts[one], rng) for one in each])
        features = self.head.fc6(self.encoder(seen.flatten(0, 1)).flatten(1))
        places = (starts + self.config.patch / 2) / self.config.crop
        return {"place_error": (features.view(len(images), 9, -1), places)}

    def forward(self, views: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(views.flatten(0, 1)))  # (B, 9, 3, p, p) -> (B, 16, 8)
        return logits

    def loss(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        return classifying.cross_entropy(outputs, target)

    def measure(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        return classifying.measures(outputs, target)

    def chance(self) -> dict[str, float]:
        return classifying.guessing(len(SIDES))

    def puzzle(self, views: Views, which: int) -> Puzzle:
        which %= len(PAIRS)
        first, second = PAIRS[which]
        shown = (drawn("first", views.inputs[0, first]), drawn("second", views.inputs[0, second]))
        solution = together("where it lies", views.inputs[0], which, LABELS[which])
        question = "On which side of the first patch does the second lie?"
        return Puzzle(question, shown, 2, SIDES, LABELS[which], (solution,))

    def answer(self, outputs: Tensor, views: Views, which: int) -> PuzzleAnswer:
        """The second patch on the side where the network puts it."""
        which %= len(PAIRS)
        said = classifying.answer(outputs[0, which], SIDES)
        assert said.choice is not None
        where = together("where the network puts it", views.inputs[0], which, said.choice)
        return PuzzleAnswer(said.words, said.probabilities, (where,))

    def architecture(self) -> dict[str, Any]:
        return {"architecture": "alexnet", "encoder": _encoder(self.config), "head": None}

    def head_layers(self) -> tuple[LayerCard, ...]:
        return ()

    def preprocess(self) -> Preprocess:
        return Preprocess(self.config.crop, self.config.region, self.config.size, None, "per_crop")


def _encoder(config: ContextConfig) -> dict[str, Any]:
    """AlexNet's arguments."""
    return {"widths": config.channels, "stride": config.stride, "padding": config.padding, "norm": config.norm}


def corners(count: int, config: ContextConfig, rng: torch.Generator) -> Tensor:
    """First row and column of each of nine patches, jitter included: (count, 9, 2)."""
    free = config.crop - config.grid
    origin = torch.randint(free + 1, (count, 1, 2), generator=rng)
    moved = torch.randint(2 * config.jitter + 1, (count, 9, 2), generator=rng)
    cells = torch.arange(9)
    places = torch.stack([cells // 3, cells % 3], dim=1) * (config.patch + config.gap)  # (9, 2)
    return origin + places + moved


def cut(pixels: Tensor, starts: Tensor, side: int) -> Tensor:
    """Patches that begin there, (B, 9, 2): (B, C, S, S) -> (B, 9, C, side, side)."""
    rows, columns = starts.to(pixels.device)[..., None].unbind(2)  # (B, 9, 1) each
    images = torch.arange(len(pixels), device=pixels.device).view(-1, 1, 1)
    return every_window(pixels, side)[images, torch.arange(pixels.shape[1], device=pixels.device), rows, columns]


def coarsened(patches: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """That share of the patches (B, 9, 3, p, p) loses detail: down to 10/96 to 95/96 of their side, and back."""
    side = patches.shape[-1]
    coins = torch.rand(patches.shape[:2], generator=rng) < share
    least, most = max(1, int(COARSEST * side)), int(FINEST * side)
    fewer = torch.randint(least, most + 1, (patches.shape[1],), generator=rng).tolist()
    found = patches.clone()
    for cell, pixels in enumerate(fewer):
        images = coins[:, cell].nonzero()[:, 0].to(patches.device)
        if len(images):
            small = F.interpolate(patches[images, cell], size=(pixels, pixels), mode="bilinear", antialias=True)
            found[images, cell] = F.interpolate(small, size=(side, side), mode="bilinear")
    return found


def one_channel(patches: Tensor, rng: torch.Generator) -> Tensor:
    """One channel of each patch (B, 9, 3, p, p), less its mean; the others are noise of a hundredth of its deviation.

    One of red, green and blue, drawn for each patch: no two channels are left whose colour fringes could be compared.
    """
    kept = torch.randint(3, patches.shape[:2], generator=rng).to(patches.device).view(*patches.shape[:2], 1, 1, 1)
    noise = torch.randn(patches.shape, generator=rng).to(patches.device)
    kept = kept.expand_as(patches[:, :, :1])
    channel = patches.gather(2, kept)  # (B, 9, 1, p, p)
    centred = channel - channel.mean(dim=(3, 4), keepdim=True)
    deviation = centred.square().mean(dim=(3, 4), keepdim=True).sqrt()
    return noise.mul_(NOISE * deviation).scatter_(2, kept, centred)


def drawn(caption: str, patch: Tensor) -> PuzzlePicture:
    """A normalised patch (3, p, p); of one whose colours were dropped the channel that is left, in gray."""
    spread = patch.float().std(dim=(1, 2))
    lone = int(spread.argmax())
    if spread.sum() < 1.2 * spread[lone]:
        return picture(f"{caption}, in gray", patch[lone : lone + 1].expand(3, -1, -1) / 3**0.5, SHOWN_MEAN, SHOWN_STD)
    return picture(caption, patch, SHOWN_MEAN, SHOWN_STD)


def together(caption: str, patches: Tensor, which: int, side: int) -> PuzzlePicture:
    """Both patches of a pair (of (9, 3, p, p)) in one picture, the second on that side of the first."""
    first, second = (drawn("", patches[cell]).pixels for cell in PAIRS[which])
    reach = len(first) * 9 // 8
    canvas = np.full((2 * reach + len(first), 2 * reach + len(first), 3), 128, np.uint8)
    for pixels, cell in ((first, MIDDLE), (second, AROUND[side])):
        top, left = cell // 3 * reach, cell % 3 * reach
        canvas[top : top + len(pixels), left : left + len(pixels)] = pixels
    return PuzzlePicture(caption, canvas)
