"""Rescaling for fine-tuning: one rate for all layers, the same answers, and refusals by name."""

import pytest
import torch
from torch import nn

from models.checkpoints.rescaling import CannotRescale, layers, photos, ratios, rescale, spread
from models.encoders import ENCODERS
from models.encoders.alexnet import AlexNet
from models.encoders.initialisation import he
from models.seeds import generator

NARROW = (8, 12, 16, 12, 8)


def unbalanced(seed: int = 0) -> nn.Module:
    """A narrow AlexNet with biases, whose layers change at rates that differ by orders of magnitude."""
    encoder = AlexNet(widths=NARROW).eval()
    he(encoder, generator(seed))
    rng = generator(seed + 1)
    with torch.no_grad():
        for part, factor in zip(layers(encoder).values(), (8.0, 0.1, 3.0, 0.5, 1.5), strict=True):
            part.weight.mul_(factor)
            assert part.bias is not None
            part.bias.copy_(torch.rand(part.bias.shape, generator=rng))
    return encoder


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return photos(114).float() / 128 - 1


def test_all_layers_change_at_one_rate_and_the_answers_stay(pixels: torch.Tensor) -> None:
    """Check T4: the spread of log10(gradient / weight) falls below a tenth, by factors whose product is one."""
    encoder = unbalanced()
    expected = encoder(pixels).detach()
    assert expected.std() > 0
    done = rescale(encoder, pixels)
    before, after = done.spreads
    assert before > 0.5 and after < 0.1 * before
    assert torch.allclose(encoder(pixels).detach(), expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    assert torch.tensor(list(done.factors.values())).prod() == pytest.approx(1, rel=1e-4)
    assert list(done.factors) == ["conv1", "conv2", "conv3", "conv4", "conv5"]
    assert spread(ratios(encoder, pixels)) == pytest.approx(after)


def test_a_ratio_is_that_of_root_mean_squares() -> None:
    """One weight of 2 after one of 3, input 5, top gradient g: 2 * 5 g / 3 and 3 * 5 g / 2, a ratio of 4 to 9."""
    encoder = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    with torch.no_grad():
        for part, weight in zip((encoder[0], encoder[2]), (3.0, 2.0), strict=True):
            part.weight.fill_(weight)
            part.bias.zero_()
    found = ratios(encoder, torch.full((1, 1), 5.0))
    assert found["2"] / found["0"] == pytest.approx(9 / 4)


@pytest.mark.parametrize(
    ("name", "how", "named"),
    [
        ("alexnet-torchvision", {"norm": "batch"}, "norm1 is batch normalisation"),
        ("alexnet-classic", {"norm": "lrn"}, r"norm1 \(LocalResponseNorm\)"),
    ],
)
def test_what_does_not_pass_a_factor_on_is_refused_by_name(name: str, how: dict[str, str], named: str) -> None:
    with pytest.raises(CannotRescale, match=named):
        layers(ENCODERS[name](**how))


def test_a_layer_that_nothing_reaches_is_refused_by_name(pixels: torch.Tensor) -> None:
    encoder = unbalanced()
    with torch.no_grad():
        encoder.get_parameter("conv3.weight").zero_()
        encoder.get_parameter("conv3.bias").fill_(-1)
    with pytest.raises(CannotRescale, match="conv"):
        rescale(encoder, pixels)
