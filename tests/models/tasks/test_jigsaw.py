"""Jigsaw puzzles: cut where they should be, cleaned of cues, put together again, and intruders that stay strangers."""

import math

import pytest
import torch
from torch import Tensor

from models.recipes import build_config
from models.seeds import generator
from models.tasks.jigsaw import Jigsaw, cut_tiles, unshuffled, without_green
from models.tasks.jigsaw_pp import JigsawPP

SIDE, CELL, TILE = 96, 32, 27
TINY = {"crop": SIDE, "region": SIDE, "tile": TILE, "tile_hidden": 8, "hidden": 8, "flip": False}


@pytest.fixture(scope="module")
def jigsaw() -> Jigsaw:
    return Jigsaw.build(build_config("jigsaw", "small", {**TINY, "permutations": 20, "gray_share": 0.0}), generator(0))


@pytest.fixture(scope="module")
def with_strangers() -> JigsawPP:
    config = build_config("jigsaw_pp", "small", {**TINY, "permutations": 20, "gray_share": 0.4})
    return JigsawPP.build(config, generator(0))  # type: ignore[arg-type]


def noise(count: int, seed: int = 1) -> Tensor:
    return torch.randint(0, 256, (count, 3, SIDE, SIDE), generator=generator(seed), dtype=torch.uint8)


def test_tiles_put_back_by_the_right_permutation_are_the_photo(jigsaw: Jigsaw) -> None:
    """Each cell holds its own number, so the tile of cell c reads c; the label is the row of the set."""
    numbers = torch.arange(9).view(3, 3).repeat_interleave(CELL, 0).repeat_interleave(CELL, 1)
    pixels = numbers.byte().expand(4, 3, SIDE, SIDE)
    drawn = jigsaw.draw(4, generator(2))
    tiles = cut_tiles(pixels, drawn, CELL, TILE)
    for puzzle, label in zip(tiles, drawn.labels, strict=True):
        permutation = jigsaw.head.permutations[label]
        assert torch.equal(puzzle, permutation.view(9, 1, 1, 1).expand_as(puzzle))
        assert puzzle[unshuffled(permutation), 0, 0, 0].tolist() == list(range(9))


def test_tiles_stay_in_their_cells_with_gaps_from_nothing_to_twice_the_free_room() -> None:
    """The paper's geometry: 64 px in cells of 85 leave 21, so gaps reach from 0 to 42 with a mean of 21."""
    config = build_config("jigsaw", "paper", {"permutations": 9, "tile_hidden": 8, "hidden": 8, "norm": "none"})
    task = Jigsaw.build(config, generator(0))  # type: ignore[arg-type]
    corners = task.draw(2000, generator(3)).corners
    assert (int(corners.min()), int(corners.max())) == (0, 21)
    gaps = (21 + corners[:, 1] - corners[:, 0]).double()
    assert 0 <= gaps.min() < 4 and 38 < gaps.max() <= 42
    assert float(gaps.mean()) == pytest.approx(21, abs=0.4)


def test_every_tile_has_mean_0_and_deviation_1_and_an_empty_one_is_zero(jigsaw: Jigsaw) -> None:
    images = noise(3)
    images[2] = 77
    views = jigsaw.views(images, generator(4)).inputs
    tiles = views[:2].flatten(2)  # (2, 9, 3 t t)
    assert torch.allclose(tiles.mean(dim=2), torch.zeros(2, 9), atol=1e-4)
    assert torch.allclose(tiles.std(dim=2, unbiased=False), torch.ones(2, 9), atol=1e-4)
    assert torch.equal(views[2], torch.zeros_like(views[2]))


def test_brightness_and_contrast_of_a_tile_give_its_place_away_only_before_they_are_removed(jigsaw: Jigsaw) -> None:
    """A linear classifier of a tile's mean and deviation, on photos that are brighter above, as under a sky.

    Chance is 1/9; five sigma of 1,800 tiles are .037. With shuffled labels it is a guess too.
    """
    light = torch.linspace(1.0, 0.3, SIDE)[:, None] * (0.6 + 0.4 * torch.rand(400, 1, 1, 1, generator=generator(11)))
    images = (noise(400, 12).float() * light).byte()
    drawn = jigsaw.draw(400, generator(13))
    raw = cut_tiles(images, drawn, CELL, TILE).float()
    found = {"raw": raw, "cleaned": jigsaw.tiles(images, drawn)}
    shuffled = drawn.cells.flatten()[torch.randperm(3600, generator=generator(14))].view(400, 9)
    assert solved(found["raw"], drawn.cells) > 1 / 9 + 0.1
    for tiles, cells in ((found["cleaned"], drawn.cells), (found["raw"], shuffled)):
        assert abs(solved(tiles, cells) - 1 / 9) < 0.037


def solved(tiles: Tensor, cells: Tensor) -> float:
    """How often least squares on half of the puzzles names the cells of the other half's tiles."""
    flat = tiles.flatten(2)  # (B, 9, 3 t t)
    features = torch.stack([torch.ones_like(flat[..., 0]), flat.mean(2), flat.std(2)], dim=2).double()
    features[..., 1:] = features[..., 1:].round(decimals=3)  # what rounding leaves of a mean of 0 is no cue
    half = len(tiles) // 2
    wanted = torch.eye(9, dtype=torch.float64)[cells[:half].flatten()]
    weights = torch.linalg.pinv(features[:half].flatten(0, 1)) @ wanted
    said = (features[half:] @ weights).argmax(dim=2)
    return float((said == cells[half:]).double().mean())


def test_channels_of_a_tile_differ_by_a_shift_of_two_pixels_at_most(jigsaw: Jigsaw) -> None:
    """A gray ramp, y + 2 x: channels of one tile differ by a constant that tells the shift."""
    span = torch.arange(SIDE)
    drawn = jigsaw.draw(200, generator(5))
    shifts = drawn.corners - drawn.corners.amin(dim=3, keepdim=True)
    assert sorted(set(shifts.flatten().tolist())) == [0, 1, 2]
    ramp = ((span[:, None] + 2 * span) % 256).expand(200, 3, SIDE, SIDE)
    tiles = cut_tiles(ramp, drawn, CELL, TILE)
    expected = shifts[:, :, 0] + 2 * shifts[:, :, 1]
    least = (drawn.cells // 3 * CELL + drawn.corners[:, :, 0].amin(2)) + 2 * (
        drawn.cells % 3 * CELL + drawn.corners[:, :, 1].amin(2)
    )
    assert torch.equal((tiles[:, :, :, 0, 0] - least[:, :, None]) % 256, expected % 256)


def test_gray_puzzles_are_gray_and_projected_ones_have_no_green_against_magenta(with_strangers: JigsawPP) -> None:
    images, drawn = noise(40), with_strangers.draw(40, generator(6))
    tiles = with_strangers.tiles(images, drawn)
    assert drawn.gray.any() and drawn.projected.any() and not (drawn.gray & drawn.projected).any()
    gray = tiles[drawn.gray]
    assert torch.allclose(gray, gray[:, :, :1].expand_as(gray))
    level = (drawn.corners == drawn.corners[..., :1]).flatten(1).all(dim=1)  # no channel is shifted
    assert torch.equal(level, drawn.gray | drawn.projected)
    one = torch.tensor([0.2, 0.9, 0.4]).view(1, 1, 3, 1, 1)
    left = without_green(one).flatten()
    assert float(-left[0] + 2 * left[1] - left[2]) == pytest.approx(0, abs=1e-6)
    assert torch.allclose(without_green(torch.full_like(one, 0.3)), torch.full_like(one, 0.3))


def test_intruders_are_none_one_or_two_anywhere_and_of_another_photo(with_strangers: JigsawPP) -> None:
    """Of 3000 puzzles a third each, 4 sigma is .034; slots are uniform, chi-squared below 26.1 (p > .001, 8 d.f.)."""
    count, rng = 3000, generator(7)
    drawn = with_strangers.draw(count, rng)
    own = torch.arange(count)[:, None]
    strange = drawn.images != own
    found = strange.sum(dim=1).bincount().double() / count
    assert len(found) == 3
    assert found.tolist() == pytest.approx([1 / 3] * 3, abs=0.034)
    slots = strange.sum(dim=0).double()
    assert float(((slots - slots.mean()) ** 2 / slots.mean()).sum()) < 26.1
    others = torch.where(strange, drawn.images, -1)
    for row, marks, cells in zip(others[:200], strange[:200], drawn.cells[:200], strict=True):
        assert len(set(row[marks].tolist())) <= 1  # one other photo, and different parts of it
        assert len(set(cells[marks].tolist())) == int(marks.sum())
    right = with_strangers.head.permutations.long()[drawn.labels]
    assert torch.equal(drawn.cells[~strange], right[~strange])


def test_an_intruders_pixels_are_of_the_other_image(with_strangers: JigsawPP) -> None:
    """Image n is all n, so that a tile reads where it was cut from; the target marks exactly these slots."""
    images = torch.arange(8, dtype=torch.uint8).view(8, 1, 1, 1).expand(8, 3, SIDE, SIDE)
    drawn = with_strangers.draw(8, generator(8))
    seen = cut_tiles(images, drawn, CELL, TILE)[:, :, 0, 0, 0]
    assert torch.equal(seen.long(), drawn.images)
    assert not torch.equal(seen, seen[:, :1].expand_as(seen))
    target = with_strangers.views(noise(8), generator(8)).target
    assert target is not None
    assert torch.equal(target[:, 0], drawn.labels)
    assert torch.equal(target[:, 1:].bool(), drawn.images != torch.arange(8)[:, None])
    with pytest.raises(ValueError, match="at least two images"):
        with_strangers.draw(1, generator(8))


def test_all_tiles_share_one_set_of_weights(jigsaw: Jigsaw) -> None:
    """Permuting tiles permutes their fc6 features, exactly."""
    tiles = jigsaw.eval().views(noise(1), generator(9)).inputs[0]  # (9, 3, t, t)
    order = torch.randperm(9, generator=generator(10))
    with torch.no_grad():
        features, permuted = (jigsaw.head.fc6(jigsaw.encoder(part).flatten(1)) for part in (tiles, tiles[order]))
    assert torch.allclose(features[order], permuted, atol=1e-5)
    assert not torch.allclose(features[0], features[1], atol=1e-3)


def test_accuracy_is_told_apart_by_the_number_of_intruders(with_strangers: JigsawPP) -> None:
    """Four puzzles of 0, 0, 1 and 2 intruders; the last two are answered wrongly."""
    target = torch.zeros(4, 10, dtype=torch.long)
    target[2, 3], target[3, 1], target[3, 9] = 1, 1, 1
    outputs = torch.zeros(4, 20)
    outputs[:2, 0] = 9
    outputs[2:, 5] = 9
    found = with_strangers.measure(outputs, target)
    means = {name: float(values.nanmean()) for name, values in found.items()}
    assert means["accuracy"] == 0.5
    assert [means[f"accuracy_{number}_intruders"] for number in range(3)] == [1, 0, 0]
    assert [int((~found[f"accuracy_{n}_intruders"].isnan()).sum()) for n in range(3)] == [2, 1, 1]


def test_training_begins_at_the_logarithm_of_the_permutations() -> None:
    """ln 701 = 6.5525."""
    config = build_config("jigsaw_pp", "small", {**TINY, "permutations": 701, "hidden": 512})
    task = JigsawPP.build(config, generator(1))  # type: ignore[arg-type]
    views = task.views(noise(6), generator(2))
    with torch.no_grad():
        loss = task.loss(task(views.inputs), views.target)["cross_entropy"]
    assert float(loss) == pytest.approx(math.log(701), rel=0.02)


def test_the_solution_is_in_order_and_marks_intruders_and_the_answer_what_it_misplaced(
    with_strangers: JigsawPP,
) -> None:
    seed = next(s for s in range(50) if (with_strangers.draw(4, generator(s)).images[0] != 0).sum() == 2)
    views = with_strangers.views(noise(4), generator(seed))
    puzzle = with_strangers.puzzle(views, 0)
    assert puzzle.right is not None and views.target is not None
    places = [int(word) for word in puzzle.choices[puzzle.right].split()]
    captions = [item.caption for item in puzzle.solution]
    assert all(captions[place - 1].startswith(f"tile {tile}") for tile, place in enumerate(places, start=1))
    assert sum("of another photo" in caption for caption in captions) == 2
    assert not any("another" in item.caption for item in puzzle.shown)  # nothing is given away
    outputs = torch.zeros(4, 20)
    outputs[:, puzzle.right] = 5
    said = with_strangers.answer(outputs, views, 0)
    assert said.choice == puzzle.right and not any("misplaced" in item.caption for item in said.drawn)
    wrong = with_strangers.answer(outputs.roll(1, dims=1), views, 0)
    assert wrong.choice != puzzle.right and any("misplaced" in item.caption for item in wrong.drawn)


def test_a_checkpoint_tells_which_permutations_it_means(jigsaw: Jigsaw, with_strangers: JigsawPP) -> None:
    told, other = jigsaw.facts(), with_strangers.facts()
    assert told["permutations"] == other["permutations"] == 20
    assert told["permutations_sha256"] != other["permutations_sha256"]
    assert other["permutations_least_distance"] >= 3
    assert jigsaw.head.state_dict()["permutations"].dtype == torch.uint8  # kept with the weights
