"""A sanity check tells a broken preparation from a good one, and says when it cannot tell."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.atomic import write_json
from models.card import REPORT, Card, preprocess_of, write_card
from models.checkpoints.storage import write_weights
from models.encoders import ENCODERS, layers
from models.foreign.preparations import CAFFE_MEAN, HALF, fixed
from models.foreign.with_preprocessing import reprepared
from models.galleries.images import store_image
from models.galleries.packs import Pack, PackRow, write_manifest, write_shard
from models.sanity import report as sanity_report
from models.sanity.alternatives import alternatives
from models.sanity.checking import confounded, fitting, leave_one_out, sanity
from models.sanity.report import Sanity, Share

TINY = {"depths": [1, 1, 1], "widths": [4, 4, 4], "bottleneck": False, "option": "B", "classes": None}
OWN = fixed(32, mean=HALF, std=HALF)
ROWS = 320


def red_or_not(folder: Path, rows: int, source: Callable[[int], str | None] = lambda _: None) -> Pack:
    """Flat pictures: odd rows much red, even rows little; green and blue are chance."""
    rng, made = np.random.default_rng(0), []
    for row in range(rows):
        red = 200 if row % 2 else 150
        colour = (red + int(rng.integers(-10, 11)), *(int(value) for value in rng.integers(30, 226, 2)))
        sink = io.BytesIO()
        Image.new("RGB", (32, 32), colour).save(sink, "PNG")
        image = store_image(sink.getvalue())
        known = PackRow(
            path=f"{row:05d}.png",
            label="red" if row % 2 else "dull",
            split=None,
            counts=None,
            source=source(row),
            width=32,
            height=32,
            jpeg_width=image.jpeg_width,
            jpeg_height=image.jpeg_height,
            sha256=image.sha256,
            scene=None,
        )
        made.append((known, image))
    write_manifest(folder, [write_shard(folder, 0, made)])
    return Pack.open(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of which only one unit works: relu(red - 20), where red is 255 times what it is shown as registered."""
    place = tmp_path_factory.mktemp("planted")
    encoder = ENCODERS["cifar-resnet"](**TINY)
    state = {name: torch.zeros_like(value) for name, value in encoder.state_dict().items()}
    for name in state:
        if name.endswith(("running_var", "bn1.weight", "bn2.weight")):
            state[name] += 1
    state["conv1.weight"][0, 0, 1, 1] = 1.0
    state["bn1.bias"][0] = -20.0
    for name, value in state.items():  # shortcuts pass on what comes
        if "shortcut.0" in name:
            value[0, 0] = 1.0
        if name.endswith("shortcut.1.weight"):
            value += 1.0
    about = {"tessera": "{}"}
    sha256 = write_weights(place, {f"encoder.{key}": value for key, value in state.items()}, about=about)
    seen = layers(encoder, side=32)
    card = Card("planted", "cifar-resnet", TINY, None, None, None, {}, seen, OWN, sha256, "fp32", title="ResNet-8")
    write_card(place, card)
    write_json(place / REPORT, {"guess": {"preprocess": []}})
    return place


@pytest.fixture(scope="module")
def found(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Sanity:
    pack = red_or_not(tmp_path_factory.mktemp("pack"), ROWS)
    return sanity(pack, folder, checkpoint="planted", gallery="red", seconds=1e4)


def test_a_planted_wrong_preparation_is_red_and_the_right_one_is_found(found: Sanity) -> None:
    assert (found.images, found.compared, found.labelled, found.classes) == (ROWS, ROWS, ROWS, 2)
    assert found.own is not None and found.own.value <= 0.6  # nothing fires: a guess
    assert found.own_untrained is not None and found.own_untrained.value > 0.6
    assert found.verdict == "bad" and "Suspect the preprocessing" in found.sentence
    assert found.variants[found.best].name == "0 to 255, mean subtracted"
    right = found.variants[found.best]
    assert right.second is not None and (right.second.value, right.second.n) == (1.0, ROWS // 2)
    assert found.better is not None and found.better.low > 0 and "is better" in found.advice


def test_layers_that_never_change_are_flagged_beside_the_untrained(found: Sanity) -> None:
    assert {layer.flag for layer in found.layers} == {"dead"} and {layer.dead for layer in found.layers} == {1.0}
    assert all(layer.dead < 0.5 for layer in found.untrained_layers[:1])
    assert found.smoothness is not None and found.noise is not None


def test_the_right_preparation_registered_is_green(
    found: Sanity, folder: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    card = reprepared(folder, tmp_path, found.variants[found.best].preprocess, name="mended")
    assert card.preprocess.scale == 255.0 and card.weights_sha256 != found.weights_sha256
    pack = red_or_not(tmp_path_factory.mktemp("pack"), ROWS)
    again = sanity(pack, tmp_path, checkpoint="mended", gallery="red", seconds=1e4)
    assert again.verdict == "good" and again.own is not None and again.own.value == 1.0
    assert again.best == 0


def test_what_is_written_is_read(found: Sanity, tmp_path: Path) -> None:
    path = sanity_report.place(tmp_path, "red")
    sanity_report.write(path, found)
    assert sanity_report.read(path) == found == next(sanity_report.read_all(tmp_path))
    path.write_text('{"format": 1}')
    assert sanity_report.read(path) is None


shares = st.tuples(st.floats(-1, 1), st.floats(-1, 1)).map(lambda two: Share(sum(two) / 2, min(two), max(two), 100))


@given(shares, st.integers(0, 299))
def test_below_300_labelled_images_nobody_can_tell(found: Sanity, gain: Share, labelled: int) -> None:
    few = replace(found, gain=gain, labelled=labelled)
    assert few.verdict == "unknown" and few.sentence.startswith("Cannot tell")


@given(shares, st.integers(300, 500))
def test_red_only_where_the_interval_excludes_a_gain(found: Sanity, gain: Share, labelled: int) -> None:
    verdict = replace(found, gain=gain, labelled=labelled).verdict
    assert verdict == ("good" if gain.low > 0 else "bad" if gain.high < 0 else "unknown")


def test_confounded_classes_are_no_verdict(found: Sanity) -> None:
    told = replace(found, confounded=True)
    assert told.verdict == "unknown" and "source" in told.sentence


def test_classes_of_one_source_each_are_confounded() -> None:
    labels = np.array([0, 0, 1, 1])
    assert confounded(labels, np.array([0, 0, 1, 1]))
    assert not confounded(labels, np.array([0, 1, 0, 1]))
    assert not confounded(labels, np.array([0, 0, 0, 0]))  # one source explains nothing
    assert confounded(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 2]))  # half of the images is enough


def test_no_image_is_its_own_neighbour() -> None:
    features = np.array([[0.0], [0.1], [0.2], [10.0]], dtype=np.float32)
    labels = np.array([0, 1, 0, 1])
    assert leave_one_out(features, labels, k=1).tolist() == [False, False, False, False]
    assert leave_one_out(features, labels, k=2).tolist() == [True, False, True, False]  # ties: the lower class


@pytest.mark.parametrize(("an_image", "there_are", "count"), [(0.05, 1000, 300), (1.0, 1000, 64), (1e-6, 1000, 500)])
def test_as_many_images_as_fit(an_image: float, there_are: int, count: int) -> None:
    assert fitting(an_image, 15.0, there_are) == count
    assert fitting(an_image, 15.0, 40) == 40


def test_alternatives_begin_with_the_own_and_have_no_doubles() -> None:
    offered = [{"name": "-1 to 1", "reason": "", "preprocess": vars(OWN)}]
    names = [one.name for one in alternatives(OWN, offered)]
    assert names == ["as registered", "as registered, BGR", "0 to 255, mean subtracted", "as registered, 64 px"]
    caffe = fixed(227, resize=256, mean=CAFFE_MEAN, std=(1.0,) * 3, colour="bgr", scale=255.0)
    found = {one.name: one.preprocess for one in alternatives(caffe)}
    assert found["as registered, RGB"].mean == CAFFE_MEAN[::-1]
    assert found["0 to 1"].scale == 1.0 and found["as registered, 96 px"].resize == 108
    assert preprocess_of(vars(caffe)) == caffe
