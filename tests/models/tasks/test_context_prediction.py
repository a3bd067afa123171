"""Context prediction: which patches make a pair, where they lie, and nothing of colour that gives them away."""

import pytest
import torch

from models.recipes import build_config
from models.recipes.base import BadConfig
from models.recipes.context_prediction import ContextConfig
from models.seeds import generator
from models.tasks.context_prediction import (
    LABELS,
    PAIRS,
    SIDES,
    ContextPrediction,
    coarsened,
    corners,
    cut,
    one_channel,
)

TINY = {"crop": 88, "region": 88, "patch": 25, "gap": 4, "jitter": 2, "patch_hidden": 8, "hidden": 8}
STEPS = {"above": (-1, 0), "below": (1, 0), "left": (0, -1), "right": (0, 1)}


def test_every_label_names_the_side_on_which_the_second_patch_lies() -> None:
    for (first, second), label in zip(PAIRS, LABELS, strict=True):
        down, right = (
            sum(STEPS[word][axis] for word in SIDES[label].removeprefix("to the ").split()) for axis in (0, 1)
        )
        assert (second // 3 - first // 3, second % 3 - first % 3) == (down, right)


def test_labels_are_equally_common_and_those_of_a_pair_turned_round_sum_to_seven() -> None:
    assert torch.tensor(LABELS).bincount().tolist() == [2] * 8
    label_of = dict(zip(PAIRS, LABELS, strict=True))
    assert all(label_of[first, second] + label_of[second, first] == 7 for first, second in PAIRS)


def test_gaps_are_48_give_or_take_14_pixels() -> None:
    config = ContextConfig()
    found = corners(5000, config, generator(0))
    assert int(found.min()) == 0
    assert int(found.max()) + config.patch == config.crop
    right = found[:, 5, 1] - found[:, 4, 1] - config.patch
    assert (int(right.min()), int(right.max())) == (34, 62)


def test_a_patch_is_the_pixels_that_begin_at_its_corner() -> None:
    pixels = torch.arange(2 * 3 * 10 * 10).view(2, 3, 10, 10)
    starts = torch.zeros(2, 9, 2, dtype=torch.long)
    starts[1, 8] = torch.tensor([2, 5])
    found = cut(pixels, starts, 4)
    assert torch.equal(found[1, 8], pixels[1, :, 2:6, 5:9])
    assert torch.equal(found[0, 3], pixels[0, :, :4, :4])


def test_two_channels_become_noise_that_tells_nothing_of_the_photo() -> None:
    patches = torch.rand(8, 9, 3, 32, 32, generator=generator(1))
    found = one_channel(patches, generator(2))
    spread = found.std(dim=(3, 4))
    kept = spread == spread.amax(dim=2, keepdim=True)
    assert kept.sum(dim=2).unique().tolist() == [1]
    assert kept.sum(dim=(0, 1)).min() > 10  # of 72: each channel is kept in turn
    assert torch.allclose(found[kept], (patches - patches.mean(dim=(3, 4), keepdim=True))[kept])
    noise = found[~kept].flatten(1)
    assert float(noise.std()) == pytest.approx(0.01 * float(found[kept].std()), rel=0.02)
    noise, before = noise - noise.mean(1, keepdim=True), patches[~kept].flatten(1) - 0.5
    correlation = (noise * before).mean(1) / noise.std(1) / before.std(1)
    assert float(correlation.abs().max()) < 5 / 32  # five deviations of 1,024 pixels


def test_a_third_of_the_patches_loses_detail_and_the_others_nothing() -> None:
    patches = torch.rand(200, 9, 3, 12, 12, generator=generator(1))
    same = (coarsened(patches, 0.33, generator(2)) == patches).flatten(2).all(dim=2)
    assert 0.62 < float(same.float().mean()) < 0.72
    assert torch.equal(coarsened(patches, 0.0, generator(2)), patches)


def test_the_head_sees_no_patch_but_the_two_of_a_pair() -> None:
    task = ContextPrediction.build(build_config("context_prediction", "small", TINY), generator(0)).eval()
    images = torch.randint(0, 256, (2, 3, 88, 88), generator=generator(1), dtype=torch.uint8)
    views = task.views(images, generator(2)).inputs
    changed = views.clone()
    changed[0, 0] = 0
    with torch.no_grad():
        other = (task(views) != task(changed)).any(dim=2)
    assert other[0].tolist() == [0 in pair for pair in PAIRS]
    assert not other[1].any()


def test_grids_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BadConfig, match="are 158 px"):
        build_config("context_prediction", "small", {"crop": 157})
    with pytest.raises(BadConfig, match="overlap"):
        build_config("context_prediction", "small", {"patch": 30, "jitter": 10})
