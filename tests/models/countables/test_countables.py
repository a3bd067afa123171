import json
from dataclasses import replace

import numpy as np
import pytest

from models.countables import Drawn, coin, critter, draw
from models.countables.grounds import BY_NAME, GROUNDS, LaidGround, lay, of
from models.countables.layout import Placed, SceneLayout, place
from models.countables.masks import mask
from models.countables.picture import render
from models.countables.scenes import GROUND, LIGHT, Actor, ScenePlan, finish, mixed, sprite, stream
from models.countables.source import CountablesSource, scene_seed
from models.countables.sweeps import LEVELS, SEEDS, Cell, cells, plan_of
from models.countables.values import KINDS, Light, Split, reduced
from models.galleries.sources import Item

SIDE = 256


@pytest.fixture(scope="module")
def scenes() -> list[Drawn]:
    return [draw(scene_seed(split, 7, number), split) for split in ("train", "test") for number in range(20)]


def swept(sweep: str, level: float | str, repeat: int = 1) -> Drawn:
    return finish(plan(sweep, level, repeat))


def plan(sweep: str, level: float | str, repeat: int = 1) -> ScenePlan:
    return plan_of(Cell(sweep, level, repeat), lambda number: scene_seed("sweeps", 0, number))


def seen(thing: dict, side: int = SIDE) -> np.ndarray:  # type: ignore[type-arg]
    """The pixels of the scene that show an object."""
    found = np.zeros((side, side), bool)
    left, top, right, bottom = thing["box"]
    found[top:bottom, left:right] = mask(thing["rle"], bottom - top, right - left)
    return found


def grown(shape: np.ndarray, times: int) -> np.ndarray:
    for _ in range(times):
        padded = np.pad(shape, 1)
        shape = padded[1:-1, 1:-1] | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return shape


def test_the_same_seed_draws_the_same_scene() -> None:
    first, second, other = draw(5), draw(5), draw(6)
    assert np.array_equal(first.image, second.image)
    assert (first.scene, first.truth) == (second.scene, second.truth)
    assert not np.array_equal(first.image, other.image)
    assert first.image.shape == (SIDE, SIDE, 3)
    assert first.image.dtype == np.uint8


def test_the_test_split_keeps_five_grounds_eight_coins_and_a_colouring_to_itself(scenes: list[Drawn]) -> None:
    assert {ground.name for ground in of("train")} | {ground.name for ground in of("test")} == set(BY_NAME)
    assert len(of("test")) == 5
    assert len(coin.numbers("test")) == 8
    assert len(coin.numbers("train")) == 16
    assert critter.colourings("test") == (critter.HELD_OUT,)
    looks: dict[str, set[str]] = {"train": set(), "test": set()}
    for drawn in scenes:
        split = drawn.scene["split"]
        looks[split].add(drawn.scene["ground"])
        looks[split] |= {f"{o['kind']} {o['look']}" for o in drawn.truth["objects"] if o["kind"] in ("coin", "critter")}
    assert not looks["train"] & looks["test"]


def test_no_seed_is_shared_between_training_testing_gallery_and_sweeps() -> None:
    streams = {
        name: {scene_seed(name, seed, number) for seed in (0, 1, 1_048_575) for number in (0, 1, 1_048_575)}
        for name in ("both", "train", "test", "sweeps")
    }
    assert sum(len(seeds) for seeds in streams.values()) == len(set().union(*streams.values())) == 36
    assert max(max(seeds) for seeds in streams.values()) < 2**53  # exact in JSON, wherever it is read


def test_objects_are_in_the_scene_of_the_sizes_asked_for_and_never_hidden_too_far(scenes: list[Drawn]) -> None:
    for drawn in scenes:
        assert 0 <= len(drawn.truth["objects"]) <= 9
        for thing in drawn.truth["objects"]:
            left, top, right, bottom = thing["box"]
            assert min(left, top) >= 0
            assert max(right, bottom) <= SIDE
            assert 0.06 * SIDE - 1 <= max(right - left, bottom - top) <= 0.45 * SIDE + 1
            assert thing["visible"] >= 0.4


def test_every_number_from_none_to_nine_occurs_and_nearly_every_planned_object_finds_its_place() -> None:
    plans = [mixed(seed, "train") for seed in range(300)]
    assert {len(plan.actors) for plan in plans} == set(range(10))
    assert {actor.kind for plan in plans for actor in plan.actors} == set(KINDS)
    crowded = [finish(plan) for plan in plans if len(plan.actors) == 9][:4]
    assert all(drawn.scene["number"] >= 8 for drawn in crowded)


def test_what_one_object_shows_no_other_does(scenes: list[Drawn]) -> None:
    for drawn in scenes:
        layers = [seen(thing) for thing in drawn.truth["objects"]]
        assert not layers or np.max(np.sum(layers, axis=0)) == 1
        for thing, layer in zip(drawn.truth["objects"], layers, strict=True):
            assert layer.sum() == pytest.approx(thing["visible"] * thing["area"], abs=0.01)
            assert not any((seen(part) & ~layer).any() for part in thing["parts"])


def test_a_critter_has_a_head_two_eyes_a_nose_and_four_paws_and_some_are_hidden(scenes: list[Drawn]) -> None:
    critters = [thing for drawn in scenes for thing in drawn.truth["objects"] if thing["kind"] == "critter"]
    assert len(critters) > 20
    for thing in critters:
        assert sorted(part["kind"] for part in thing["parts"]) == ["eye", "eye", "head", "nose", *["paw"] * 4]
    assert any(part["visible"] == 0 and part["area"] > 0 for thing in critters for part in thing["parts"])


def test_objects_are_drawn_across_the_lines_between_tiles_on_purpose(scenes: list[Drawn]) -> None:
    boxes = [thing["box"] for drawn in scenes for thing in drawn.truth["objects"]]
    crossing = [box for box in boxes if box[0] < 128 < box[2] or box[1] < 128 < box[3]]
    assert 0.4 < len(crossing) / len(boxes) < 0.85


def test_one_cameras_noise_lies_over_object_and_ground_alike() -> None:
    light = Light.drawn(stream(1, LIGHT))
    ground = LaidGround(np.full((2 * SIDE, 2 * SIDE, 3), 0.5, np.float32), None)
    empty = ScenePlan(1, "train", "flat", ())
    lying = place(sprite(empty, 0, Actor("ball", 0.45), light), 0.5, 0.5)
    pictures = [render(ground, [lying], light, 1, np.random.default_rng(2)) for _ in range(2)]
    assert np.array_equal(*pictures)
    still = _without_noise(ground, lying, light)
    noise = pictures[0].astype(float) - still
    inside = np.zeros((SIDE, SIDE), bool)
    inside[lying.window] = lying.shape
    fair = np.all((still > 15) & (still < 240), axis=2)  # where neither black nor white cuts it off
    assert noise[inside & fair].std() == pytest.approx(noise[~inside & fair].std(), rel=0.03)
    assert noise[inside & fair].std() > 1


def _without_noise(ground: LaidGround, lying: Placed, light: Light) -> np.ndarray:
    many = [render(ground, [lying], light, 1, np.random.default_rng(seed)).astype(float) for seed in range(3, 43)]
    return np.mean(many, axis=0)


@pytest.mark.parametrize("ground", ["gravel", "grass", "brick", "tissue"])
def test_an_outline_is_no_steeper_than_what_the_ground_itself_has(ground: str) -> None:
    """On textured grounds the step at an object's border lies within the ground's own edges: no paste outline."""
    at_border, on_ground = [], []
    for seed in range(6):
        drawn = finish(replace(mixed(scene_seed("train", 3, seed), BY_NAME[ground].split), ground=ground, contrast=1.0))
        grey = drawn.image.mean(axis=2)
        steep = np.hypot(*np.gradient(grey))
        objects = np.zeros((SIDE, SIDE), bool)
        for thing in drawn.truth["objects"]:
            objects |= seen(thing)
        at_border.append(steep[grown(objects, 1) & grown(~objects, 1)])
        on_ground.append(steep[~grown(objects, 12)])
    border, own = np.concatenate(at_border), np.concatenate(on_ground)
    assert np.median(border) < np.percentile(own, 93)
    assert np.percentile(border, 99) < 2.5 * np.percentile(own, 99)


def test_the_sweeps_are_600_scenes_with_ten_seeds_a_level() -> None:
    found = list(cells())
    assert len(found) == 600
    assert SEEDS == 10
    for sweep, levels in LEVELS.items():
        for level in levels:
            mine = [cell for cell in found if (cell.sweep, cell.level) == (sweep, level)]
            assert {cell.repeat for cell in mine} == set(range(10))
    assert set(LEVELS["empty"]) == {ground.name for ground in GROUNDS}


def test_the_gallery_lists_1400_mixed_scenes_and_600_in_sweeps_in_the_order_of_their_paths() -> None:
    items = [item for item in CountablesSource(0, 1400, "both", sweeps=True).items() if isinstance(item, Item)]
    paths = [item.path.encode() for item in items]
    assert len(items) == 2000
    assert paths == sorted(set(paths))
    assert sum(path.startswith(b"mixed/") for path in paths) == 1400
    assert sum(item.split == "test" for item in items[:1400]) == 700


def test_an_item_tells_of_its_scene_once_it_is_drawn() -> None:
    source = CountablesSource(0, 3, "train", sweeps=False)
    item = list(source.items())[1]
    assert isinstance(item, Item)
    completed = source.load(item).completed(item)
    assert completed.scene is not None
    assert completed.truth is not None
    assert json.loads(completed.scene)["seed"] == scene_seed("train", 0, 1)
    assert completed.split == json.loads(completed.scene)["split"] == "train"
    assert len(json.loads(completed.truth)["objects"]) == json.loads(completed.scene)["number"]


def test_number_at_fixed_size_only_adds_objects() -> None:
    nine = swept("number-fixed-size", 9.0)
    for level in (0.0, 4.0):
        some = swept("number-fixed-size", level)
        assert len(some.truth["objects"]) == level
        for few, many in zip(some.truth["objects"], nine.truth["objects"], strict=False):
            assert (few["box"], few["rle"], few["visible"]) == (many["box"], many["rle"], 1.0)
        same(some, nine)
        added = np.zeros((SIDE, SIDE), bool)
        for thing in nine.truth["objects"][int(level) :]:
            added |= seen(thing)
        far = ~grown(added, 20)
        assert np.array_equal(some.image[far], nine.image[far])
        assert not np.array_equal(some.image, nine.image)


def same(first: Drawn, second: Drawn) -> None:
    """Everything but the factor and what follows from it is the same in both scenes."""
    for name in ("seed", "split", "ground", "ground_crop", "light", "sweep"):
        assert first.scene[name] == second.scene[name]


@pytest.mark.parametrize("repeat", [0, 3])
def test_number_at_fixed_area_keeps_the_area(repeat: int) -> None:
    one, nine = swept("number-fixed-area", 1.0, repeat), swept("number-fixed-area", 9.0, repeat)
    areas = [sum(thing["area"] for thing in drawn.truth["objects"]) for drawn in (one, nine)]
    assert len(nine.truth["objects"]) == 9
    assert areas[1] == pytest.approx(areas[0], rel=0.05)
    assert all(thing["visible"] == 1 for thing in nine.truth["objects"])
    same(one, nine)


def test_size_is_that_of_one_object_in_one_place() -> None:
    small, large = swept("size", 0.15, 1), swept("size", 0.45, 1)
    for drawn, size in ((small, 0.15), (large, 0.45)):
        [thing] = drawn.truth["objects"]
        left, top, right, bottom = thing["box"]
        assert max(right - left, bottom - top) == pytest.approx(size * SIDE, abs=1.5)
        assert (left + right) / 2 == pytest.approx(128, abs=1.5)
        assert (top + bottom) / 2 == pytest.approx(128, abs=1.5)
    assert small.truth["objects"][0]["look"] == large.truth["objects"][0]["look"]
    same(small, large)


def test_contrast_scales_the_difference_that_objects_make() -> None:
    full, half = swept("contrast", 1.0), swept("contrast", 0.5)
    none = finish(replace(plan("contrast", 1.0), actors=()))
    assert full.truth == half.truth
    same(full, half)
    change, changed = (drawn.image.astype(float) - none.image for drawn in (half, full))
    clear = np.all((full.image > 10) & (full.image < 245) & (none.image > 10) & (none.image < 245), axis=2)
    assert np.abs(change[clear] - changed[clear] / 2).max() <= 1.01  # rounding to whole values


def test_place_moves_the_object_from_one_tile_across_all_four_to_another() -> None:
    middle, end = swept("place", 0.0), swept("place", 1.0)
    quarters = [seen(middle.truth["objects"][0])[tile].sum() for tile in _tiles()]
    assert min(quarters) > 0
    assert sum(seen(end.truth["objects"][0])[tile].any() for tile in _tiles()) == 1
    same(middle, end)


def _tiles() -> list[tuple[slice, slice]]:
    halves = slice(0, 128), slice(128, 256)
    return [(rows, columns) for rows in halves for columns in halves]


@pytest.mark.parametrize("level", LEVELS["overlap"])
def test_overlap_hides_the_share_that_the_level_says(level: float) -> None:
    drawn, apart = swept("overlap", level), swept("overlap", 0.0)
    far, near = drawn.truth["objects"]
    assert 1 - far["visible"] == pytest.approx(level, abs=0.02)
    assert near["visible"] == 1
    assert far["box"] == apart.truth["objects"][0]["box"]
    assert (far["depth"], near["depth"]) == (1, 0)
    same(drawn, apart)


def test_an_empty_scene_is_its_ground() -> None:
    drawn = swept("empty", "brick")
    assert drawn.truth["objects"] == []
    assert (drawn.scene["ground"], drawn.scene["level"], drawn.scene["number"]) == ("brick", "brick", 0)
    assert len({plan("empty", name, repeat).seed for name in ("brick",) for repeat in range(10)}) == 10


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_ground_fills_the_scene(split: Split) -> None:
    for ground in of(split):
        laid = lay(ground, stream(4, GROUND))
        assert laid.pixels.shape == (2 * SIDE, 2 * SIDE, 3)
        assert 0 <= laid.pixels.min() <= laid.pixels.max() <= 1
        assert laid.pixels.std() > 0.001
        if laid.crop is not None:
            left, top, right, bottom = laid.crop
            assert ground.region[0] <= left < right <= ground.region[2]
            assert ground.region[1] <= top < bottom <= ground.region[3]


def test_area_reduction_sums_each_block_as_numpy_does() -> None:
    fine = np.random.default_rng(0).random((8, 6, 3), np.float32)
    assert np.array_equal(reduced(fine) / np.float32(4), fine.reshape(4, 2, 3, 2, 3).mean(axis=(1, 3)))


def test_a_nearer_object_takes_the_pixels_of_a_farther_one() -> None:
    light = Light.drawn(stream(1, LIGHT))
    ball = sprite(ScenePlan(1, "train", "flat", ()), 0, Actor("ball", 0.2), light)
    layout = SceneLayout()
    layout.add(place(ball, 0.5, 0.5))
    same_place = place(ball, 0.5, 0.5)
    assert not layout.fits(same_place)
    assert layout.fits(place(ball, 0.65, 0.5))
    layout.add(same_place)
    assert (layout.owner == 0).sum() == 0
    assert (layout.owner == 1).sum() == same_place.area
