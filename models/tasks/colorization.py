"""Colorization: which colours did the gray photo have? A distribution over bins of ab for every 16th pixel.

Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016, https://arxiv.org/abs/1603.08511: the AlexNet of its
feature learning, on L less 50 (here over 25, so that an untrained network answers as mildly as others; batch
normalisation undoes the scale). Where paper and released code differ, taken from the paper: colours are shared out to 5
bins (code: 10). From the code: weights by rare colours (here they multiply the loss, there its gradient, which is the
same), photos without colours are left out, answers are those of single pixels at the map's resolution. Otherwise here:
bins are computed (261, not the shipped file's 313), and so is their prior, from the training photos before the first
step; the paper's rate falls after 240, 300 and 400 thousand steps, ours every 150; batches and fc widths are ours.
Kept from the paper: q are the bins, p their smoothed prior, lambda how far the weights w are drawn to uniform ones, T
the temperature of the annealed mean.
"""

from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from models.card import LayerCard, Preprocess
from models.encoders.alexnet import AlexNet
from models.encoders.initialisation import he
from models.preprocessing import lab
from models.puzzles import Puzzle, PuzzleAnswer
from models.recipes.colorization import ColorizationConfig
from models.tasks import maps
from models.tasks.base import Epoch, Task, Views
from models.tasks.heads import MapHead
from models.tasks.lab_colours import PAPER_BINS, ab_bins, annealed_mean, rebalancing, smoothed, soft_code
from models.tasks.windows import mirror

LIGHTNESS, SPREAD = (50.0,), (25.0,)  # what L loses, and what it is divided by, which the code does not


class Colorization(Task):
    """The network sees L alone; the loss weights a pixel by how rare its colour is among the training photos."""

    name: ClassVar[str] = "colorization"
    paper: ClassVar[str] = "https://arxiv.org/abs/1603.08511"
    centres: Tensor

    def __init__(self, encoder: AlexNet, head: MapHead, config: ColorizationConfig) -> None:
        super().__init__()
        self.encoder: AlexNet = encoder
        self.head: MapHead = head
        self.config: ColorizationConfig = config
        self.register_buffer("centres", ab_bins().clone(), persistent=False)

    @classmethod
    def build(cls, config: ColorizationConfig, rng: torch.Generator) -> Self:
        encoder = AlexNet(**_encoder(config))
        head = MapHead(
            features=config.channels[-1],
            hidden=config.hidden,
            outputs=len(ab_bins()),
            side=config.window,
            norm=config.norm == "batch",
        )
        he(encoder, rng)
        he(head, rng)
        nn.init.normal_(head.get_parameter("top.weight"), std=0.01, generator=rng)  # begins at ln Q
        return cls(encoder, head, config)

    def on_epoch_start(self, epoch: Epoch) -> None:
        """Before the first epoch: how common each bin is among the training photos' pixels."""
        if epoch.number == 0:
            self.count(torch.cat([maps.rows(found) for found in self._ab(epoch)]))

    def _ab(self, epoch: Epoch) -> list[Tensor]:
        found = [pixels[:, 1:] for pixels in maps.training_pixels(epoch.windows, self.config.crop)]
        return [ab[maps.coloured(ab)] for ab in found]

    @torch.no_grad()
    def count(self, ab: Tensor) -> None:
        """Count the bins' shares from training pixels (N, 2), and find the best constant answer: E[w(q) code]."""
        if not len(ab):
            return  # nothing but gray photos: all colours stay as common
        places, code = soft_code(ab, self.centres, self.config.neighbours, self.config.sigma)
        counts = torch.bincount(places[:, 0], minlength=len(self.centres))
        self.head.running_shares.copy_(counts / counts.sum())
        guess = torch.zeros(len(self.centres), dtype=torch.double, device=ab.device)
        guess.index_add_(0, places.flatten(), (code * self.weights[places[:, :1]]).double().flatten())
        self.head.running_guess.copy_(maps.distribution(guess))

    @property
    def weights(self) -> Tensor:
        """The weight of a pixel by its bin, (Q,): 1 on average over the prior p."""
        shares = self.head.running_shares.double()
        return rebalancing(smoothed(shares, self.centres.double(), self.config.sigma), self.config.uniform).float()

    def views(self, images: Tensor, rng: torch.Generator, targets: Tensor | None = None) -> Views:  # noqa: ARG002
        """Lightness as input, colours as target: (B, 3, crop, crop) uint8 -> (B, 1, s, s), ab (B, 2, s, s)."""
        pixels = lab((mirror(images, rng) if self.config.flip else images).float().div_(255))
        return Views((pixels[:, :1] - LIGHTNESS[0]) / SPREAD[0], pixels[:, 1:])

    def forward(self, views: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(views))  # (B, 1, s, s) -> (B, Q, n, n)
        return logits

    def costs(self, logits: Tensor, ab: Tensor) -> Tensor:
        """Weighted cross-entropy of each pixel: logits (N, Q) or one answer to all (Q,), colours (N, 2) -> (N,)."""
        places, code = soft_code(ab, self.centres, self.config.neighbours, self.config.sigma)
        predicted = logits.log_softmax(dim=-1).expand(len(ab), -1).gather(1, places)
        return -self.weights[places[:, 0]] * (predicted * code).sum(dim=1)

    def loss(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        assert target is not None
        costs = self.costs(maps.rows(outputs), maps.rows(maps.cells(target))).view(len(outputs), -1)
        kept = maps.coloured(target)
        return {"cross_entropy": (costs.mean(dim=1) * kept).sum() / kept.sum().clamp(min=1)}

    def measure(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        """For each photo with colours: the loss beside that of the prior, and the colour error beside that of gray."""
        assert target is not None
        logits, ab = maps.rows(outputs), maps.rows(maps.cells(target))
        predicted = annealed_mean(logits, self.centres, self.config.temperature)
        nearest = torch.cdist(ab, self.centres).argmin(dim=1)
        found = {
            "loss": self.costs(logits, ab),
            "loss_of_prior": self.costs(self.head.running_guess.log(), ab),
            "colours_accuracy": (logits.argmax(dim=1) == nearest).float(),
            "colour_error": (predicted - ab).norm(dim=1),
            "colour_error_of_gray": ab.norm(dim=1),
            "saturation": predicted.norm(dim=1),
        }
        found["gain_over_prior"] = found["loss_of_prior"] - found["loss"]
        kept = maps.coloured(target)
        return {name: of.view(len(outputs), -1).mean(1).where(kept, torch.nan) for name, of in found.items()}

    def chance(self) -> dict[str, float]:
        """The best answer that is the same everywhere, on the training photos; the commonest bin."""
        shares, guess = self.head.running_shares.double(), self.head.running_guess.double()
        entropy = -(guess * guess.clamp_min(1e-300).log()).sum()
        loss = float((shares * self.weights).sum() * entropy)
        return {"loss": loss, "colours_accuracy": float(shares.max()), "gain_over_prior": 0.0}

    def facts(self) -> dict[str, Any]:
        """How many bins there are, the paper's number, and which share of the pixels lies in the commonest."""
        shares = self.head.running_shares
        return {
            "ab_bins": len(self.centres),
            "ab_bins_of_the_paper": PAPER_BINS,
            "ab_bins_seen": int((shares > 0).sum()),
            "commonest_bin_share": round(float(shares.max()), 4),
        }

    def adopt(self, trained: Task) -> None:
        """The bins' shares, and the best answer without looking."""
        assert isinstance(trained, Colorization)
        self.head.running_shares.copy_(trained.head.running_shares)
        self.head.running_guess.copy_(trained.head.running_guess)

    def puzzle(self, views: Views, which: int) -> Puzzle:  # noqa: ARG002 - one puzzle an image
        assert views.target is not None
        light, ab = _lightness(views), views.target[0]
        shown, solution = maps.gray("lightness alone", light), maps.photo("the photo", light, ab)
        return Puzzle("Which colours did the gray photo have?", (shown,), 2, solution=(solution,))

    def answer(self, outputs: Tensor, views: Views, which: int) -> PuzzleAnswer:  # noqa: ARG002 - one puzzle an image
        """The photo in the colours that the network predicts, and these colours alone, each beside the truth."""
        assert views.target is not None
        light, ab, side = _lightness(views), views.target[0], views.inputs.shape[-1]
        predicted = maps.decoded(outputs[0], self.centres, self.config.temperature)  # (1, 2, n, n)
        large = maps.drawn_large(predicted, side)[0]
        right = maps.cells(ab[None])
        off = float((predicted - right).norm(dim=1).mean())
        off_by_gray = float(right.norm(dim=1).mean())
        words = f"its colours are off by {off:.0f} in ab on average; without any it would be {off_by_gray:.0f}"
        drawn = (
            maps.photo("the network's colours", light, large),
            maps.photo("the photo", light, ab),
            maps.flat("its colours alone", large),
            maps.flat("the photo's, of the same pixels", maps.drawn_large(right, side)[0]),
        )
        return PuzzleAnswer(words, drawn=drawn)

    def architecture(self) -> dict[str, Any]:
        return {"architecture": "alexnet", "encoder": _encoder(self.config), "head": None}

    def head_layers(self) -> tuple[LayerCard, ...]:
        return ()

    def preprocess(self) -> Preprocess:
        how = self.config
        return Preprocess(how.crop, how.region, how.size, None, "mean_std", LIGHTNESS, SPREAD, colour="l")


def _lightness(views: Views) -> Tensor:
    """L of the first image, (1, s, s) in 0..100."""
    return views.inputs[0] * SPREAD[0] + LIGHTNESS[0]


def _encoder(config: ColorizationConfig) -> dict[str, Any]:
    """AlexNet's arguments: one channel, a map that cells of 16 pixels come from."""
    return {
        "widths": config.channels,
        "padding": 5,
        "ceil_mode": False,
        "norm": config.norm,
        "channels": 1,
        "dense": True,
    }
