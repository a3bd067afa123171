"""Precision at five agrees with counting by hand, and what must not count as a neighbour does not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.search.retrieval_facets import questions
from models.search.retrieval_quality import Facet, Quality, RetrievalQueries, measure
from tests.models.packing import pack_of

N = 120


def task(codes: np.ndarray, **changes: object) -> RetrievalQueries:
    hashes = np.random.default_rng(9).integers(1, 2**63, len(codes)).astype(np.uint64)
    given: dict[str, object] = {"allowed": np.ones(len(codes), dtype=bool), "sources": None, "hashes": hashes}
    return RetrievalQueries((Facet("label", codes),), **{**given, **changes})  # type: ignore[arg-type]


def scored(quality: Quality | None, space: str) -> float:
    assert quality is not None
    return quality.scores[space]["label"].precision.value


@pytest.fixture
def codes() -> np.ndarray:
    return np.arange(N) % 4


def test_a_space_that_is_the_label_is_always_right_and_a_random_one_is_right_by_chance(codes: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    told, random = np.eye(4)[codes], rng.normal(size=(N, 8))
    found = measure({"told": told, "pixels": random}, task(codes), reference="pixels")
    assert found is not None and found.queries == N
    assert scored(found, "told") == 1
    assert found.chance["label"] == pytest.approx(29 / 119)  # thirty of a label, the query is one of them
    assert scored(found, "pixels") == pytest.approx(29 / 119, abs=0.06)
    gain = found.scores["told"]["label"].gain
    assert gain.low > 0.5 and gain.value == pytest.approx(1 - scored(found, "pixels"))
    assert found.scores["told"]["label"].voted == 1
    assert found.scores["pixels"]["label"].gain.value == 0


def test_precision_is_that_of_a_plain_loop(codes: np.ndarray) -> None:
    vectors = np.random.default_rng(1).normal(size=(N, 3)) + 0.8 * np.eye(4)[codes][:, :3]
    expected = []
    for row in range(N):
        order = [other for other in np.argsort(np.linalg.norm(vectors - vectors[row], axis=1)) if other != row][:5]
        expected.append(np.mean(codes[order] == codes[row]))
    found = measure({"space": vectors}, task(codes), reference="space")
    assert scored(found, "space") == pytest.approx(np.mean(expected))
    assert found is not None
    half = 1.96 * np.std(expected, ddof=1) / np.sqrt(N)
    assert found.scores["space"]["label"].precision.high == pytest.approx(np.mean(expected) + half)


def test_images_of_the_same_source_never_count() -> None:
    pairs = np.arange(N) // 2
    vectors = np.random.default_rng(2).normal(size=(N // 2, 4))[pairs]  # both of a pair at one place
    labels = pairs % 4
    with_them = measure({"space": vectors}, task(labels), reference="space")
    without = measure({"space": vectors}, task(labels, sources=pairs), reference="space")
    assert scored(with_them, "space") > scored(without, "space")


def test_near_copies_never_count() -> None:
    pairs = np.arange(N) // 2
    vectors = np.random.default_rng(2).normal(size=(N // 2, 4))[pairs]
    hashes = np.random.default_rng(3).integers(1, 2**63, N // 2).astype(np.uint64)[pairs]
    labels = pairs % 4
    apart = measure({"space": vectors}, task(labels, sources=pairs), reference="space")
    copies = measure({"space": vectors}, task(labels, hashes=hashes), reference="space")
    assert scored(copies, "space") == scored(apart, "space")


def test_rows_that_are_not_allowed_are_neither_asked_nor_found(codes: np.ndarray) -> None:
    vectors = np.eye(4)[codes]
    vectors[60:] = vectors[60:][::-1]  # wrong where nobody looks
    found = measure({"space": vectors}, task(codes, allowed=np.arange(N) < 60), reference="space")
    assert found is not None and found.queries == found.database == 60
    assert scored(found, "space") == 1


def test_what_only_its_own_source_shares_cannot_be_measured(codes: np.ndarray) -> None:
    vectors = np.random.default_rng(4).normal(size=(N, 4))
    assert measure({"space": vectors}, task(codes, sources=codes), reference="space") is None


def test_labels_are_asked_before_source_pictures_and_without_either_there_is_nothing_to_ask(tmp_path: Path) -> None:
    both = pack_of(tmp_path / "both", 12, label=lambda row: "ab"[row % 2], source=lambda row: str(row // 3))
    found = questions(both, 12)
    assert [[facet.name for facet in one.facets] for one in found] == [["label"], ["photo"]]
    assert found[0].sources is not None and found[1].sources is None
    assert questions(pack_of(tmp_path / "none", 4), 4) == ()


def test_scenes_are_compared_by_kind_number_and_ground_and_sweeps_are_left_out(tmp_path: Path) -> None:
    scenes = [
        {"kinds": {"coin": 2, "ball": 1}, "number": 3, "ground": "sand", "sweep": None},
        {"kinds": {"ball": 4, "coin": 9}, "number": 13, "ground": "sand", "sweep": None},
        {"kinds": {"coin": 3}, "number": 3, "ground": "grass", "sweep": "size"},
        {"kinds": {}, "number": 0, "ground": "grass", "sweep": None},
    ]
    (question,) = questions(pack_of(tmp_path / "scenes", 4, scene=lambda row: scenes[row]), 4)
    assert {facet.name: facet.codes.tolist() for facet in question.facets} == {
        "kind": [0, 0, -1, 1],
        "number": [0, 1, -1, 2],
        "ground": [0, 0, -1, 1],
    }


def test_the_ground_does_not_decide_which_space_is_best(codes: np.ndarray) -> None:
    numbers, grounds = codes, np.arange(N) % 3
    spaces = {"by number": np.eye(4)[numbers], "by ground": np.eye(3)[grounds]}
    facets = (Facet("number", numbers), Facet("ground", grounds))
    found = measure(spaces, replace(task(codes), facets=facets), reference="by ground")
    assert found is not None and found.sought == ("number",)
    assert found.mean("by number") == 1 > found.mean("by ground")
    assert found.scores["by ground"]["ground"].precision.value == 1
    assert found.scores["by number"]["ground"].gain.high < 0
