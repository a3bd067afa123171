import json

import numpy as np
import pytest

from models.countables.coin import coins
from models.countables.truth import count, whole
from models.galleries.images import open_image
from models.galleries.photo_files import data_folder
from models.galleries.sources import Item
from models.samples.annotations import marks, shapes, truth
from models.samples.photos import PHOTOS, SampleSource

SIZES = {"astronaut": (512, 512), "chelsea": (451, 300), "motorcycle": (741, 500), "coins": (384, 303)}


def test_what_is_marked_is_24_coins_two_faces_and_two_wheels() -> None:
    kinds = {photo: sorted(kind for _, kind, _ in shapes(photo, *SIZES[photo][::-1])) for photo in SIZES}
    assert kinds["coins"] == ["coin"] * 24
    assert kinds["astronaut"] == kinds["chelsea"] == ["eye", "eye", "head", "nose"]
    assert kinds["motorcycle"] == ["wheel", "wheel"]
    assert all(mark.photo in SIZES for mark in marks())


@pytest.mark.parametrize("photo", SIZES)
def test_the_photos_are_of_the_size_that_was_marked(photo: str) -> None:
    file = next(known.file for known in PHOTOS if known.name == photo)
    opened = open_image((data_folder() / file).read_bytes())
    assert (opened.width, opened.height) == SIZES[photo]


def test_coins_are_brighter_than_the_ground_around_them() -> None:
    """The outlines follow the photo: just inside of each it is brighter than just outside."""
    grey = np.asarray(open_image((data_folder() / "coins.png").read_bytes()).image.convert("L"), float)
    for coin in coins():
        angle = np.arange(len(coin.radii)) * 2 * np.pi / len(coin.radii)
        values = []
        for reach in (-2.5, 2.5):
            x = np.clip(coin.x + (np.array(coin.radii) + reach) * np.cos(angle), 0, 383).round().astype(int)
            y = np.clip(coin.y + (np.array(coin.radii) + reach) * np.sin(angle), 0, 302).round().astype(int)
            values.append(grey[y, x].mean())
        assert values[0] > values[1] + 20


def test_eyes_are_darker_in_the_middle_and_the_cats_nose_is_red() -> None:
    astronaut = np.asarray(open_image((data_folder() / "astronaut.png").read_bytes()).image, float)
    cat = np.asarray(open_image((data_folder() / "chelsea.png").read_bytes()).image, float)
    for picture, photo in ((astronaut, "astronaut"), (cat, "chelsea")):
        found = {name: shape for name, _, shape in shapes(photo, *picture.shape[:2])}
        for mark in (mark for mark in marks() if mark.photo == photo and mark.kind == "eye"):
            middle = picture[int(mark.y) - 2 : int(mark.y) + 3, int(mark.x) - 3 : int(mark.x) + 4].mean()
            assert middle < picture[found["head"]].mean() - 20
        assert all((found[name] <= found["head"]).mean() > 0.97 for name in found)
    nose = cat[next(shape for name, kind, shape in shapes("chelsea", 300, 451) if kind == "nose")]
    assert nose[:, 0].mean() > 1.6 * nose[:, 2].mean()


def test_a_crop_carries_the_marks_that_fall_into_it() -> None:
    face = truth("astronaut", SIZES["astronaut"], 128, 0, 256)
    assert face is not None
    assert count(face, whole(face)).present == {"head": 1, "eye": 2, "nose": 1}
    half = truth("astronaut", SIZES["astronaut"], 227, 0, 256)  # cut through the middle of the face
    assert half is not None
    [head] = half["objects"]
    assert head["visible"] == pytest.approx(0.5, abs=0.02)
    assert [part["kind"] for part in head["parts"]] == ["eye", "nose"]
    below = truth("astronaut", SIZES["astronaut"], 100, 250, 160)
    assert below is not None
    assert below["objects"] == []
    assert truth("rocket", (640, 427), 0, 0, 160) is None


def test_the_sample_carries_them_into_its_gallery() -> None:
    source = SampleSource()
    items = [item for item in source.items() if isinstance(item, Item)]
    coin = next(item for item in items if item.label == "coins")
    completed = source.load(coin).completed(coin)
    assert completed.truth is not None
    assert json.loads(completed.truth)["made"] == "annotated"
    assert completed.counts is not None
    assert completed.counts["coin"] > 0
    assert completed.source == "coins"
    rocket = next(item for item in items if item.label == "rocket")
    assert source.load(rocket).completed(rocket).truth is None
