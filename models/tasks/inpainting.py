"""Inpainting: what fills the hole in the middle of the photo? The network draws it from what lies around.

Pathak, Krähenbühl, Donahue, Darrell, Efros, "Context Encoders: Feature Learning by Inpainting", CVPR 2016,
https://arxiv.org/abs/1604.07379. The paper has two networks, and this is one of each: from its features, AlexNet, the
channel-wise fully connected layer and the convolution of stride 1 after it; from its inpainting, the hole in the
middle, the decoder and the adversarial term (with AlexNet the paper has holes of any shape and the squared error alone,
as its adversarial training diverged). Where paper and released code differ the code was taken: the network sees an
overlap of 4 px (paper: 7), whose error counts ten times. From the code, too: pixels in -1..1, weights .999 and .001, a
discriminator that sees the filled square and never its surroundings, Adam with beta1 .5, ten times the discriminator's
rate. Otherwise here: the hole has ImageNet's mean colour (code: the same numbers in another order of the channels), the
encoder normalises by batch, and no ReLU lies between the channel-wise layer and the convolution.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.card import LayerCard, Preprocess
from models.encoders.alexnet import AlexNet
from models.encoders.initialisation import he
from models.puzzles import Puzzle, PuzzleAnswer, PuzzlePicture
from models.recipes.inpainting import InpaintingConfig
from models.tasks.base import Task, Views
from models.tasks.pictures import picture
from models.tasks.windows import MEAN, mirror

HALF = (0.5, 0.5, 0.5)  # mean and deviation that bring pixels 0..1 into -1..1
STD = 0.02  # of the weights of decoder and discriminator, the code's
SLOPE = 0.2  # of the discriminator's leaky ReLUs


class Inpainting(Task):
    """AlexNet on the photo with its hole, a decoder that fills the hole, and a discriminator with its own optimiser."""

    name: ClassVar[str] = "inpainting"
    paper: ClassVar[str] = "https://arxiv.org/abs/1604.07379"
    config: InpaintingConfig

    def __init__(self, encoder: AlexNet, head: nn.Module, discriminator: nn.Module, config: InpaintingConfig) -> None:
        super().__init__()
        self.encoder, self.head, self.config = encoder, head, config
        self.discriminator = discriminator
        betas = (config.momentum, 0.999)
        self.opposing = torch.optim.Adam(
            discriminator.parameters(), lr=config.discriminator_lr, betas=betas, fused=True
        )

    @classmethod
    def build(cls, config: InpaintingConfig, rng: torch.Generator) -> Self:
        encoder, head = AlexNet(**_encoder(config)), decoder(config)
        opponent = discriminator(config.filled, config.discriminator)
        he(encoder, rng)
        for module in (head, opponent):
            for part in module.modules():
                if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
                    nn.init.normal_(part.weight, std=STD, generator=rng)
                    assert part.bias is not None
                    nn.init.zeros_(part.bias)
                elif isinstance(part, ChannelWise):
                    part.draw(rng)
        return cls(encoder, head, opponent, config)

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"discriminator": self.opposing}

    def views(self, images: Tensor, rng: torch.Generator, targets: Tensor | None = None) -> Views:  # noqa: ARG002
        """The photo without its middle, and the middle: (B, 3, s, s) uint8 -> (B, 3, s, s), (B, 3, filled, filled)."""
        pixels = (mirror(images, rng) if self.config.flip else images).float().div_(127.5).sub_(1)
        shown, colour = pixels.clone(), pixels.new_tensor(MEAN).view(3, 1, 1) * 2 - 1
        middle(shown, self.config.hole).copy_(colour.expand(3, self.config.hole, self.config.hole))
        return Views(shown, middle(pixels, self.config.filled).clone())

    def forward(self, views: Tensor) -> Tensor:
        filled: Tensor = self.head(self.encoder(views))  # (B, 3, s, s) -> (B, 3, filled, filled)
        return filled

    def loss(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        """The squared error, and the discriminator's cross-entropy for calling the filled square real."""
        assert target is not None
        share, band = self.config.adversarial, self.config.overlap
        weights = overlap_weights(self.config.filled, band, self.config.overlap_weight).to(outputs.device)
        terms = {"reconstruction": (1 - share) * ((outputs - target).square() * weights).mean()}
        if share:
            terms["adversarial"] = share * mean_cross_entropy(self.discriminator(outputs), real=True)
        return terms

    def training_step(self, views: Views, outputs: Tensor) -> dict[str, Tensor]:
        """A step of the discriminator by its own optimiser, then the gradients of encoder and decoder."""
        assert views.target is not None
        if self.config.adversarial:
            known, drawn = self.discriminator(views.target), self.discriminator(outputs.detach())
            torch.autograd.backward(mean_cross_entropy(known, real=True) + mean_cross_entropy(drawn, real=False))
            self.opposing.step()
            self.opposing.zero_grad(set_to_none=True)
        self.discriminator.requires_grad_(False)
        terms = super().training_step(views, outputs)
        self.discriminator.requires_grad_(True)
        return terms

    def measure(self, outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        """For each hole: the mean squared error of pixels in 0..1, beside that of filling it with its border's mean
        colour.
        """
        assert target is not None
        right = middle(target, self.config.hole)
        found = {
            "hole_error": squares(middle(outputs, self.config.hole), right),
            "hole_error_of_border": squares(border(target, self.config.overlap), right),
        }
        found["gain_over_border"] = found["hole_error_of_border"] - found["hole_error"]
        found["psnr"], found["psnr_of_border"] = (
            decibels(found[name]) for name in ("hole_error", "hole_error_of_border")
        )
        return found

    def chance(self) -> dict[str, float]:
        return {"gain_over_border": 0.0}

    def puzzle(self, views: Views, which: int) -> Puzzle:  # noqa: ARG002 - one puzzle an image
        assert views.target is not None
        shown = picture("the photo with its hole", views.inputs[0], HALF, HALF)
        solution = self._filled("the photo", views, middle(views.target[0], self.config.hole))
        return Puzzle("What fills the hole?", (shown,), 2, solution=(solution,))

    def answer(self, outputs: Tensor, views: Views, which: int) -> PuzzleAnswer:  # noqa: ARG002 - one puzzle an image
        """The hole filled by the network and by one colour, and the truth; the visible overlap stays as it is."""
        assert views.target is not None
        first, side = views.target[:1], self.config.hole
        found = self.measure(outputs[:1], first)
        off, plain = (255 * float(found[name]) ** 0.5 for name in ("hole_error", "hole_error_of_border"))
        words = f"it is off by {off:.0f} of 255 levels in the hole, and the border's mean colour by {plain:.0f}"
        drawn = (
            self._filled("filled by the network", views, middle(outputs[0], side)),
            self._filled("the photo", views, middle(first[0], side)),
            self._filled("filled with its border's mean colour", views, border(first, self.config.overlap)[0]),
        )
        return PuzzleAnswer(words, drawn=drawn)

    def _filled(self, caption: str, views: Views, filling: Tensor) -> PuzzlePicture:
        """The first photo with its hole filled by (3, hole, hole), or by the one colour (3, 1, 1)."""
        shown = views.inputs[0].clone()
        hole = middle(shown, self.config.hole)
        hole.copy_(filling.expand_as(hole))
        return picture(caption, shown, HALF, HALF)

    def architecture(self) -> dict[str, Any]:
        return {"architecture": "alexnet", "encoder": _encoder(self.config), "head": None}

    def head_layers(self) -> tuple[LayerCard, ...]:
        return ()

    def preprocess(self) -> Preprocess:
        how = self.config
        return Preprocess(how.crop, how.region, how.size, None, "mean_std", HALF, HALF)


class ChannelWise(nn.Module):
    """A fully connected layer for each channel: (B, m, n, n) -> (B, m, n, n), with m n^4 weights and m n^2 biases."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, side**2, side**2))  # (m, from, to)
        self.bias = nn.Parameter(torch.zeros(channels, side**2))

    def draw(self, rng: torch.Generator) -> None:
        """Weights that keep the variance: no ReLU lies between this layer and the next."""
        nn.init.normal_(self.weight, std=self.weight.shape[1] ** -0.5, generator=rng)

    def forward(self, maps: Tensor) -> Tensor:
        channels = maps.flatten(2).transpose(0, 1)  # (B, m, n, n) -> (m, B, n^2)
        found = torch.baddbmm(self.bias[:, None], channels, self.weight)
        return found.transpose(0, 1).reshape(maps.shape)


def decoder(config: InpaintingConfig) -> nn.Sequential:
    """Channel by channel from every place to every other, then across channels, then larger by layers of two."""
    width = config.decoder * 2 ** (config.ups - 1)
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    parts["across_places"] = ChannelWise(config.channels[-1], config.cells)
    parts["across_channels"] = nn.Conv2d(config.channels[-1], width, 1)
    for place in range(1, config.ups + 1):
        parts[f"norm{place}"], parts[f"relu{place}"] = nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        made = 3 if place == config.ups else width // 2
        parts[f"up{place}"] = nn.ConvTranspose2d(width, made, 4, stride=2, padding=1)
        width = made
    parts["tanh"] = nn.Tanh()
    return nn.Sequential(parts)


def discriminator(side: int, width: int) -> nn.Sequential:
    """A discriminator with one logit a square: (B, 3, side, side) -> (B, 1, 1, 1), above 0 for real photos."""
    parts: list[nn.Module] = []
    channels = 3
    while side >= 8:
        parts.append(nn.Conv2d(channels, width, 4, stride=2, padding=1))
        if channels > 3:
            parts.append(nn.BatchNorm2d(width))
        parts.append(nn.LeakyReLU(SLOPE, inplace=True))
        channels, width, side = width, 2 * width, side // 2
    return nn.Sequential(*parts, nn.Conv2d(channels, 1, side))


def mean_cross_entropy(logits: Tensor, *, real: bool) -> Tensor:
    """The mean cross-entropy of logits whose right answer is the same for all: real or not."""
    return F.softplus(-logits if real else logits).mean()


def middle(pixels: Tensor, side: int) -> Tensor:
    """The central square, as a view: (..., S, S) -> (..., side, side)."""
    start = (pixels.shape[-1] - side) // 2
    return pixels[..., start : start + side, start : start + side]


def overlap_weights(side: int, band: int, weight: float) -> Tensor:
    """The weight of a pixel's squared error, (side, side): `weight` within `band` pixels of the edge, 1 inside."""
    weights = torch.full((side, side), weight)
    middle(weights, side - 2 * band).fill_(1.0)
    return weights


def border(target: Tensor, band: int) -> Tensor:
    """Mean colour of the visible band around each hole: (B, 3, side, side) -> (B, 3, 1, 1)."""
    visible = overlap_weights(target.shape[-1], band, 1.0).to(target.device)
    middle(visible, target.shape[-1] - 2 * band).zero_()
    return (target * visible).sum(dim=(2, 3), keepdim=True) / visible.sum()


def squares(predicted: Tensor, right: Tensor) -> Tensor:
    """Mean squared error of each photo, (B,), in units of pixels 0..1 from those of -1..1."""
    return (predicted - right).square().mean(dim=(1, 2, 3)) / 4


def decibels(error: Tensor) -> Tensor:
    """Peak signal to noise: 10 log10(1 / error), at most 100 dB."""
    return -10 * error.clamp_min(1e-10).log10()


def _encoder(config: InpaintingConfig) -> dict[str, Any]:
    """AlexNet's arguments."""
    how = {"padding": 5, "dense": True} if config.dense else {}
    return {"widths": config.channels, "ceil_mode": False, "norm": config.norm, **how}
