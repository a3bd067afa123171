"""Split-brain: one half of the network predicts the colours from the gray, the other the gray from the colours.

Zhang, Isola, Efros, "Split-Brain Autoencoders: Unsupervised Learning by Cross-Channel Prediction", CVPR 2017,
https://arxiv.org/abs/1611.09842. From the paper: AlexNet with two groups in every layer, batch normalisation, maps of
12 x 12 cells of 180 px, and classes on both sides: bins of ab and 50 bins of L, the nearest alone and none weighted
("cl, cl"). The paper does not give its schedule and batches; ours are those of colorization. Otherwise here: 261
computed bins of ab instead of 313, Lab is brought to about unit range, and each cell is asked for the pixel in its
centre.
"""

from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.card import LayerCard, Preprocess
from models.encoders.initialisation import he
from models.encoders.split import SplitAlexNet
from models.preprocessing import lab
from models.puzzles import Puzzle, PuzzleAnswer
from models.recipes.split_brain import SplitBrainConfig
from models.tasks import maps
from models.tasks.base import Epoch, Task, Views
from models.tasks.heads import MapHead, SplitHead
from models.tasks.lab_colours import PAPER_BINS, ab_bins
from models.tasks.windows import mirror

MEAN, SPREAD = (50.0, 0.0, 0.0), (25.0, 25.0, 25.0)
LIGHTNESSES, WIDTH = 50, 2.0  # bins of L
SIDES = ("colours", "lightness")  # what the first half predicts, and what the second does


class SplitBrain(Task):
    """Both losses are minimised together, and neither reaches the other half."""

    name: ClassVar[str] = "split_brain"
    paper: ClassVar[str] = "https://arxiv.org/abs/1611.09842"
    colours: Tensor
    lightnesses: Tensor

    def __init__(self, encoder: SplitAlexNet, head: SplitHead, config: SplitBrainConfig) -> None:
        super().__init__()
        self.encoder: SplitAlexNet = encoder
        self.head: SplitHead = head
        self.config: SplitBrainConfig = config
        self.register_buffer("colours", ab_bins().clone(), persistent=False)
        self.register_buffer("lightnesses", (torch.arange(LIGHTNESSES)[:, None] + 0.5) * WIDTH, persistent=False)

    @classmethod
    def build(cls, config: SplitBrainConfig, rng: torch.Generator) -> Self:
        encoder = SplitAlexNet(widths=config.channels, norm=config.norm)
        head = SplitHead(
            features=config.channels[-1],
            hidden=config.hidden,
            outputs=(len(ab_bins()), LIGHTNESSES),
            side=config.window,
            norm=config.norm == "batch",
        )
        he(encoder, rng)
        encoder.conv1.settle()
        he(head, rng)
        for name in ("first.top.weight", "second.top.weight"):
            nn.init.normal_(head.get_parameter(name), std=0.01, generator=rng)  # begins at ln Q + ln 50
        return cls(encoder, head, config)

    @property
    def _heads(self) -> tuple[MapHead, MapHead]:
        """Of the colours, and of the lightness."""
        return self.head.first, self.head.second

    @torch.no_grad()
    def on_epoch_start(self, epoch: Epoch) -> None:
        """Before the first epoch: how common each class is among the training photos' pixels, as a baseline."""
        if epoch.number != 0:
            return
        pixels = torch.cat([maps.rows(found) for found in maps.training_pixels(epoch.windows, self.config.crop)])
        for head, classes in zip(self._heads, self.classes(pixels), strict=True):
            counts = torch.bincount(classes, minlength=len(head.running_shares))
            head.running_shares.copy_(counts / counts.sum())
            head.running_guess.copy_(maps.distribution(counts.double()))

    def classes(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The bins of ab and of L that Lab pixels (N, 3) lie in, (N,) each."""
        light = (pixels[:, 0] / WIDTH).long().clamp(0, LIGHTNESSES - 1)
        return torch.cdist(pixels[:, 1:], self.colours).argmin(dim=1), light

    def views(self, images: Tensor, rng: torch.Generator, targets: Tensor | None = None) -> Views:  # noqa: ARG002
        """All of Lab as input, and the target pixels: (B, 3, crop, crop) uint8 -> (B, 3, s, s), Lab (B, 3, n, n)."""
        pixels = lab((mirror(images, rng) if self.config.flip else images).float().div_(255))
        mean, spread = (pixels.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, SPREAD))
        wanted = maps.cells(pixels).clone()
        return Views(pixels.sub_(mean).div_(spread), wanted)

    def forward(self, views: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(views))  # (B, 3, s, s) -> (B, Q + 50, n, n)
        return logits

    def costs(self, outputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy of each pixel, (B n n,), of the colours and of the lightness."""
        predicted = torch.split(maps.rows(outputs), [len(self.colours), LIGHTNESSES], dim=1)
        colours, light = (
            F.cross_entropy(logits, right, reduction="none")
            for logits, right in zip(predicted, self.classes(maps.rows(target)), strict=True)
        )
        return colours, light

    def loss(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        assert target is not None
        return {f"{side}_told": cost.mean() for side, cost in zip(SIDES, self.costs(outputs, target), strict=True)}

    def measure(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        """For each photo: the loss of both halves and of each, beside that of the prior, and the accuracy of each."""
        assert target is not None
        found: dict[str, Tensor] = {}
        predicted = torch.split(maps.rows(outputs), [len(self.colours), LIGHTNESSES], dim=1)
        costs, right = self.costs(outputs, target), self.classes(maps.rows(target))
        for place, (side, head) in enumerate(zip(SIDES, self._heads, strict=True)):
            found[f"{side}_loss"] = costs[place]
            found[f"{side}_loss_of_prior"] = -head.running_guess.log()[right[place]]
            found[f"{side}_accuracy"] = (predicted[place].argmax(dim=1) == right[place]).float()
        for name in ("loss", "loss_of_prior"):
            found[name] = found[f"colours_{name}"] + found[f"lightness_{name}"]
        found["gain_over_prior"] = found["loss_of_prior"] - found["loss"]
        return {name: of.view(len(outputs), -1).mean(dim=1) for name, of in found.items()}

    def chance(self) -> dict[str, float]:
        """The entropies of the bins' shares among the training photos' pixels; the commonest bins."""
        found = {}
        for side, head in zip(SIDES, self._heads, strict=True):
            guess = head.running_guess.double()
            found[f"{side}_loss"] = float(-(guess * guess.log()).sum())
            found[f"{side}_accuracy"] = float(head.running_shares.max())
        return {"loss": found["colours_loss"] + found["lightness_loss"], **found, "gain_over_prior": 0.0}

    def facts(self) -> dict[str, Any]:
        """How many bins there are, and the paper's number."""
        return {"ab_bins": len(self.colours), "ab_bins_of_the_paper": PAPER_BINS, "lightness_bins": LIGHTNESSES}

    def adopt(self, trained: Task) -> None:
        """The shares of the bins."""
        assert isinstance(trained, SplitBrain)
        for mine, theirs in zip(self._heads, trained._heads, strict=True):
            mine.running_shares.copy_(theirs.running_shares)
            mine.running_guess.copy_(theirs.running_guess)

    def puzzle(self, views: Views, which: int) -> Puzzle:  # noqa: ARG002 - one puzzle an image
        light, ab = _lab(views)
        shown = maps.gray("one half sees the lightness", light), maps.flat("the other half sees the colours", ab)
        question = "Which colours belong to the gray, and which gray to the colours?"
        return Puzzle(question, shown, 2, solution=(maps.photo("the photo", light, ab),))

    def answer(self, outputs: Tensor, views: Views, which: int) -> PuzzleAnswer:  # noqa: ARG002 - one puzzle an image
        """The colours that one half predicts, on the photo's lightness, and the lightness that the other predicts."""
        assert views.target is not None
        light, ab = _lab(views)
        predicted = torch.split(outputs[0], [len(self.colours), LIGHTNESSES])
        temperature = self.config.temperature
        colours, gray = (
            maps.decoded(logits, centres, temperature)
            for logits, centres in zip(predicted, (self.colours, self.lightnesses), strict=True)
        )
        right = views.target[:1]
        off_colours = float((colours - right[:, 1:]).norm(dim=1).mean())
        off_light = float((gray - right[:, :1]).abs().mean())
        off_gray = float(right[:, 1:].norm(dim=1).mean())
        words = (
            f"the colours are off by {off_colours:.0f} in ab on average (none at all: {off_gray:.0f}),"
            f" the lightness by {off_light:.0f} of 100"
        )
        side = light.shape[-1]
        drawn = (
            maps.photo("colours told from the lightness", light, maps.drawn_large(colours, side)[0]),
            maps.photo("the photo", light, ab),
            maps.gray("lightness told from the colours", maps.drawn_large(gray, side)[0]),
            maps.gray("the photo's, of the same pixels", maps.drawn_large(right[:, :1], side)[0]),
        )
        return PuzzleAnswer(words, drawn=drawn)

    def architecture(self) -> dict[str, Any]:
        how = {"widths": self.config.channels, "norm": self.config.norm}
        return {"architecture": "alexnet-split", "encoder": how, "head": None}

    def head_layers(self) -> tuple[LayerCard, ...]:
        return ()

    def preprocess(self) -> Preprocess:
        how = self.config
        return Preprocess(how.crop, how.region, how.size, None, "mean_std", MEAN, SPREAD, colour="lab")


def _lab(views: Views) -> tuple[Tensor, Tensor]:
    """L (1, s, s) and ab (2, s, s) of the first image."""
    mean, spread = (views.inputs.new_tensor(values).view(3, 1, 1) for values in (MEAN, SPREAD))
    pixels = views.inputs[0] * spread + mean
    return pixels[:1], pixels[1:]
