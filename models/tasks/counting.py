"""Counting: what four tiles contain must add up to what the whole image contains.

Noroozi, Pirsiavash, Favaro, "Representation Learning by Learning to Count", ICCV 2017, https://arxiv.org/abs/1708.06734.
Kept from the paper: D downsamples by two, T_j cuts tile j, phi counts, M is the contrastive margin.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.card import Card, LayerCard, Preprocess
from models.counting.equation import stack
from models.counting.scoring import evaluate
from models.counting.training_measures import view_pictures, view_totals, watched_measures
from models.counting.training_views import MEASURES, VIEWS
from models.encoders.alexnet import WIDTHS, AlexNet
from models.encoders.initialisation import gaussian, he, scale_to, uniform
from models.network import Network
from models.puzzles import Puzzle, PuzzleAnswer
from models.recipes.counting import CountingConfig
from models.tasks.base import Task, Views
from models.tasks.heads import CountingHead
from models.tasks.pictures import stretched
from models.tasks.validation import FixedViews, HeldOut, Scored, Watched
from models.tasks.windows import mirrored

SIDES = ("the left one", "the right one")


@dataclass(frozen=True)
class BatchDraw:
    """The random choices for a batch: which images are mirrored (B,), whether all are gray, and the kernel."""

    mirrored: Tensor
    gray: bool
    kernel: str


class Counting(Task):
    """phi(Dx) = sum_j phi(T_j x), with phi kept from collapsing by images that must differ."""

    name: ClassVar[str] = "counting"
    paper: ClassVar[str] = "https://arxiv.org/abs/1708.06734"
    first_curves: ClassVar[tuple[str, ...]] = MEASURES
    config: CountingConfig

    def __init__(self, encoder: nn.Module, head: nn.Module, config: CountingConfig) -> None:
        super().__init__()
        self.encoder, self.head, self.config = encoder, head, config
        self.kernels: Sequence[str] = config.kernel_names

    @classmethod
    def build(cls, config: CountingConfig, rng: torch.Generator) -> Self:
        encoder = AlexNet(**cls._encoder(config))
        with torch.no_grad():
            features = encoder(torch.zeros(1, 3, config.size, config.size)).numel()
        head = CountingHead(features=features, hidden=config.hidden, units=config.units)
        he(encoder, rng)
        draw_head = uniform if config.head_init == "uniform" else he
        draw_head(head, rng)
        if config.conv1_std:
            gaussian(encoder.get_parameter("conv1.weight"), config.conv1_std, rng)
        return cls(encoder, head, config)

    def begin(self, views: Tensor) -> Mapping[str, float]:
        """Bring the mean |phi(Dx)|^2 of the first batch (B, 5, 3, s, s) to `start_norm` by scaling conv1."""
        if not self.config.start_norm:
            return {"conv1_scale": 1.0}
        shown = views[:, 0]  # (B, 5, 3, s, s) -> (B, 3, s, s)

        def squared_norm() -> float:
            with torch.no_grad():
                return float(self.head(self.encoder(shown)).square().sum(dim=1).mean())

        factor = scale_to(self.encoder.get_parameter("conv1.weight"), squared_norm, self.config.start_norm)
        return {"conv1_scale": factor}

    def begin_like(self, found: Mapping[str, Any]) -> None:
        """Scale conv1 by the factor that was found."""
        with torch.no_grad():
            self.encoder.get_parameter("conv1.weight").mul_(float(found.get("conv1_scale", 1.0)))

    def views(self, images: Tensor, rng: torch.Generator, targets: Tensor | None = None) -> Views:
        """Stack D(x), T_1(x) ... T_4(x): (B, 3, 2s, 2s) uint8 -> (B, 5, 3, s, s) float.

        One coin for gray and one kernel a batch: x and its partner y share a term, so they must share both draws.
        """
        drawn = self.draw(len(images), rng)
        pixels = mirrored(images, drawn.mirrored).float().div_(255)
        if drawn.gray:
            pixels = gray(pixels)
        return Views(stack(pixels, drawn.kernel, per_input=self.config.normalise == "input"), targets)

    def draw(self, count: int, rng: torch.Generator) -> BatchDraw:
        """Draw the random choices for a batch of `count` images."""
        mirrored = (torch.rand(count, generator=rng) < 0.5) & self.config.flip
        is_gray = bool(torch.rand((), generator=rng) < self.config.gray_share)
        return BatchDraw(mirrored, is_gray, self.kernels[int(torch.randint(len(self.kernels), (), generator=rng))])

    def forward(self, views: Tensor) -> Tensor:
        counts: Tensor = self.head(self.encoder(views.flatten(0, 1)))  # (B, 5, 3, s, s) -> (5 B, K)
        return counts.view(len(views), 5, -1)  # (5 B, K) -> (B, 5, K)

    def loss(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        """The paper's equation 4, averaged over the batch; (B, 5, K) with B >= 2.

        With named counts (B, C) as a second constraint, or instead: the first C units are those names.
        """
        if self.config.constraints == "annotation":
            return {"annotation": self._annotation(outputs, target)}
        if len(outputs) < 2:
            raise ValueError("counting needs at least two images: the other image comes from the batch")
        whole, total = outputs[:, 0], outputs[:, 1:].sum(dim=1)  # (B, K) each
        other = whole.roll(1, dims=0)  # y is the next image of the batch, never x itself
        # The hinge is on the squared norm of the whole vector: M bounds |.|^2, not each coordinate.
        same = (whole - total).square().sum(dim=1)
        squares = (other - total).square()  # (B, K)
        if self.config.hinge == "unit":  # a mistake on purpose, to be looked at: every unit has to differ by itself
            apart = F.relu(self.config.margin - squares).sum(dim=1)
        else:
            apart = F.relu(self.config.margin - squares.sum(dim=1))
        terms = {"tiles_add_up": same.mean(), "others_differ": apart.mean()}
        return (
            terms if self.config.constraints == "tiles" else terms | {"annotation": self._annotation(outputs, target)}
        )

    def _annotation(self, outputs: Tensor, target: Tensor | None) -> Tensor:
        """Squared error of the first C units of phi(Dx) against named counts (B, C), weighted; (B, 5, K) -> ()."""
        assert target is not None
        missed = outputs[:, 0, : target.shape[1]] - target  # (B, C)
        return self.config.annotation_weight * missed.square().sum(dim=1).mean()

    def measure(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:  # noqa: ARG002
        """Whether the tiles fit their own image better than the next one of the batch; (B, 5, K) -> (B,)."""
        own, other = errors(outputs)
        return {"loss": own + F.relu(self.config.margin - other), "accuracy": (own < other).float()}

    def watch(self, images: HeldOut, fixed: int, card: Card) -> Watched:
        """Both sides of the equation on held-out images, and what is counted in each view of the fixed one."""
        network = self._network(card)
        return Watched(watched_measures(network, images.regions), view_totals(network, images.regions[fixed]))

    def fixed_views(self, images: HeldOut, fixed: int, card: Card) -> FixedViews:
        """D(x) and the four tiles of the fixed image, without a question."""
        return FixedViews(view_pictures(images.regions[fixed], card.preprocess.crop), names=VIEWS)

    def score(self, untrained: Task, images: HeldOut, card: Card, tick: Callable[[str], None]) -> Scored:
        """The measures of counting beside those of its controls, and count vectors to compare other images with."""
        assert isinstance(untrained, Counting)
        networks = self._network(card), untrained._network(card)
        return Scored(*evaluate(*networks, images.regions, seed=images.seed, tick=tick))

    def _network(self, card: Card) -> Network:
        """Encoder and head as they are used in a finished checkpoint: in fp32, in evaluation mode."""
        return Network(card, self.encoder, self.head, str(next(self.parameters()).device), torch.float32)

    def chance(self) -> dict[str, float]:
        return {"accuracy": 0.5}

    def puzzle(self, views: Views, which: int) -> Puzzle:
        """Two images as D shrinks them, and the four tiles of one; the other is the next image of the batch."""
        wholes = views.inputs[:2, 0]  # (B, 5, 3, s, s) -> (2, 3, s, s)
        right = which % 2
        shown = torch.cat([wholes.flip(0) if right else wholes, views.inputs[0, 1:]])  # (6, 3, s, s)
        names = ("left", "right", *(f"tile {number}" for number in range(1, 5)))
        return Puzzle("Which picture do the four tiles come from?", stretched(names, shown), 2, SIDES, right)

    def answer(self, outputs: Tensor, views: Views, which: int) -> PuzzleAnswer:  # noqa: ARG002 - counts say it all
        """The picture to whose count the counts of the tiles add up more closely."""
        own, other = (float(error[0]) for error in errors(outputs))
        fits = torch.softmax(torch.tensor([-own, -other]), dim=0).tolist()
        ordered = fits[::-1] if which % 2 else fits
        words = f"the tiles' counts miss their own picture's by {own:.2f}, squared, and the other's by {other:.2f}"
        return PuzzleAnswer(words, tuple(ordered))

    def architecture(self) -> dict[str, Any]:
        assert isinstance(self.head, CountingHead)
        head = {"features": self.head.features, "hidden": self.head.hidden, "units": self.head.units}
        return {"architecture": "alexnet", "encoder": self._encoder(self.config), "head": head}

    @staticmethod
    def _encoder(config: CountingConfig) -> dict[str, Any]:
        """The arguments of the encoder."""
        widths = {} if config.width == 1 else {"widths": [round(config.width * channels) for channels in WIDTHS]}
        return {"stride": config.stride, **widths}

    def head_layers(self) -> tuple[LayerCard, ...]:
        assert isinstance(self.head, CountingHead)
        return self.head.layers()

    def preprocess(self) -> Preprocess:
        how = "per_crop" if self.config.normalise == "crop" else "per_input"
        return Preprocess(self.config.crop, self.config.region, self.config.size, None, how)  # type: ignore[arg-type]


def errors(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """|phi(Dx) - s|^2 of each image, and |phi(Dy) - s|^2 with y the next of the batch: (B, 5, K) -> (B,) each."""
    whole, total = outputs[:, 0].float(), outputs[:, 1:].float().sum(dim=1)  # (B, K) each
    return tuple((side - total).square().sum(dim=1) for side in (whole, whole.roll(-1, dims=0)))  # type: ignore[return-value]


def gray(pixels: Tensor) -> Tensor:
    """The mean of the channels, on all three of them (not luma): (B, 3, h, w) -> (B, 3, h, w)."""
    return pixels.mean(dim=1, keepdim=True).expand_as(pixels)
