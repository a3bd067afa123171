"""How many heads a transformer has is in none of its weights: the names, the positions, the size, or the user tell."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.encoders.vit import VisionTransformer
from models.foreign.families.transformers import heads_of
from models.foreign.inspecting import inspect
from models.foreign.mapping import best, build, report, state_dict
from models.foreign.recognise import recognise
from models.foreign.report import LoadReport

State = dict[str, Tensor]


def network(width: int, heads: int) -> VisionTransformer:
    torch.manual_seed(0)
    made = VisionTransformer(width=width, depth=2, heads=heads, hidden=width, patch=8, grid=4).eval()
    for name, value in made.state_dict().items():
        if name.endswith(("bias", "token")):
            value.normal_(0.0, 0.3)
    return made


def found_in(path: Path, content: object) -> LoadReport:
    torch.save(content, path)
    inspection = inspect(path)
    candidate = inspection.plausible[0]
    found = best(candidate, recognise(candidate, inspection.metadata))
    assert found is not None and found.fits
    return found


def moco_v3(state: State) -> dict[str, object]:
    names = {
        f"module.{branch}_encoder.{name}": value for branch in ("base", "momentum") for name, value in state.items()
    }
    return {"arch": "vit_small", "epoch": 300, "state_dict": names}


def with_fixed_positions(state: State) -> State:
    count, width = state["pos_embed"].shape[1:]
    angles = torch.arange(count)[:, None] / 10_000 ** (torch.arange(width // 2) / (width // 2))
    return {**state, "pos_embed": torch.cat([angles.sin(), angles.cos()], dim=1)[None]}


def test_moco_v3_is_known_by_its_names_and_answers_as_its_source(tmp_path: Path) -> None:
    source = network(384, 12)
    found = found_in(tmp_path / "v3.pth.tar", moco_v3(source.state_dict()))
    assert found.guess.arguments["heads"] == 12
    assert any("12 heads of 32 channels: as MoCo v3's small network has" in text for text in found.guess.assumed)
    ours = build(found.guess, device="cpu").eval()
    ours.load_state_dict(state_dict(found, source.state_dict()))
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(ours(pixels), source(pixels))


def test_fixed_positions_tell_it_too_but_not_beside_a_decoder(tmp_path: Path) -> None:
    state = with_fixed_positions(network(384, 12).state_dict())
    assert found_in(tmp_path / "a.pth", state).guess.arguments["heads"] == 12
    assert found_in(tmp_path / "b.pth", network(384, 6).state_dict()).guess.arguments["heads"] == 6
    mae = {**state, "mask_token": torch.zeros(1, 1, 384), "decoder_embed.weight": torch.randn(8, 384)}
    assert found_in(tmp_path / "c.pth", mae).guess.arguments["heads"] == 6
    wide = with_fixed_positions(network(192, 3).state_dict())
    assert found_in(tmp_path / "d.pth", wide).guess.arguments["heads"] == 3


def test_every_other_number_can_be_chosen_by_its_title(tmp_path: Path) -> None:
    source = network(384, 3)
    torch.save(source.state_dict(), tmp_path / "net.pth")
    inspection = inspect(tmp_path / "net.pth")
    (candidate,) = inspection.candidates
    guesses = recognise(candidate, inspection.metadata)
    titles = [guess.title for guess in guesses]
    assert len(set(titles)) == len(titles)
    chosen = next(guess for guess in guesses if guess.title.endswith(", 3 heads"))
    found = report(candidate, chosen)
    assert found.fits and chosen.assumed == ("3 heads of 128 channels: chosen by you",)
    ours = build(chosen, device="cpu").eval()
    ours.load_state_dict(state_dict(found, source.state_dict()))
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(ours(pixels), source(pixels))


@pytest.mark.parametrize(
    ("width", "heads"), [(192, 3), (384, 6), (768, 12), (1024, 16), (1280, 16), (1408, 16), (1536, 24), (1664, 16)]
)
def test_published_sizes(width: int, heads: int) -> None:
    """DeiT, ViT (Dosovitskiy et al.), DINOv2's giant, and the ViT-g and ViT-G of Zhai et al."""
    assert heads_of(width) == heads
