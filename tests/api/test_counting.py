"""The counting equation by REST."""

import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from models.answers import CountAnswer
from models.card import Reference, read_reference
from models.mismatch import mismatched_distances, rank
from tests.conftest import Server
from tests.making import Workspace, photo


@pytest.fixture
def where(workspace: Workspace) -> str:
    return f"/api/checkpoints/{workspace.checkpoint}/count"


def as_png(image: Image.Image) -> bytes:
    sink = io.BytesIO()
    image.save(sink, "PNG")
    return sink.getvalue()


@pytest.fixture
def counted(web: httpx.Client, workspace: Workspace, where: str, predictor: None) -> dict[str, Any]:  # noqa: ARG001
    answer = web.post(where, json={"gallery": workspace.gallery, "row": 0})
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def test_the_answer_is_both_sides_and_what_lies_between(counted: dict[str, Any]) -> None:
    whole, tiles = np.array(counted["whole"]), np.array(counted["tiles"])
    assert whole.shape == (8,) and tiles.shape == (4, 8)
    assert np.allclose(counted["sum"], tiles.sum(axis=0), atol=1e-6)
    assert np.allclose(counted["residual"]["per_unit"], whole - tiles.sum(axis=0), atol=1e-6)
    squared = float(((whole - tiles.sum(axis=0)) ** 2).sum())
    assert counted["residual"]["squared"] == pytest.approx(squared, abs=1e-6)
    norm = float((whole**2).sum())
    expected = squared / norm if norm else None
    assert counted["residual"]["relative"] == (None if expected is None else pytest.approx(expected, rel=1e-3))
    largest = max(*whole, *tiles.sum(axis=0))
    assert counted["active_units"] == [u for u in range(8) if max(whole[u], tiles[:, u].sum()) > 1e-3 * largest > 0]
    assert counted["kernel"] == "area" and len(counted["crop"]) == 4


def test_the_rank_is_the_share_of_strangers_that_are_closer(counted: dict[str, Any], server: Server) -> None:
    reference = read_reference(server.services.checkpoints.folder(server.workspace.checkpoint))
    assert reference is not None
    n = len(reference.whole)
    residual = counted["residual"]["squared"] ** 0.5
    closer = sum(float(np.linalg.norm(reference.whole[(x - 1) % n] - reference.total[x])) < residual for x in range(n))
    assert counted["residual"]["rank_among_mismatched"] == pytest.approx(closer / n)


def test_an_upload_counts_like_the_same_image_of_the_gallery(
    web: httpx.Client, workspace: Workspace, where: str, counted: dict[str, Any]
) -> None:
    listed = web.get(f"/api/galleries/{workspace.gallery}/images").json()["images"][0]
    source = (workspace.photos / listed["path"]).read_bytes()
    uploaded = web.post(where, files={"file": ("any name", source)}).json()
    assert np.allclose(uploaded["whole"], counted["whole"], atol=1e-4)
    assert uploaded["crop"] == counted["crop"]


def test_the_query_string_counts_like_the_body(
    web: httpx.Client, workspace: Workspace, where: str, counted: dict[str, Any]
) -> None:
    answer = web.get(where, params={"gallery": workspace.gallery, "row": 0}).json()
    assert web.get(answer.pop("links")["page"]).status_code == 200
    assert answer == {name: value for name, value in counted.items() if name != "links"}


@pytest.mark.usefixtures("predictor")
def test_another_kernel_changes_the_whole_and_not_the_tiles(
    web: httpx.Client, workspace: Workspace, where: str, counted: dict[str, Any]
) -> None:
    image = {"gallery": workspace.gallery, "row": 0}
    other = web.post(where, params={"kernel": "lanczos"}, json=image).json()
    assert other["kernel"] == "lanczos" and other["tiles"] == counted["tiles"]
    assert web.post(where, params={"kernel": "nearest"}, json=image).status_code == 422


@pytest.mark.usefixtures("predictor")
def test_a_box_is_counted_as_drawn_and_a_small_one_says_that_it_was_enlarged(
    web: httpx.Client, workspace: Workspace, where: str
) -> None:
    image = {"gallery": workspace.gallery, "row": 0}
    answer = web.post(where, json={**image, "box": [5, 5, 45, 45]}).json()
    assert answer["crop"] == [5, 5, 45, 45] and answer["warnings"] == ["enlarged"]
    assert web.post(where, json={**image, "box": [900, 900, 950, 950]}).status_code == 422
    assert web.post(where, json={**image, "box": [9, 9, 3, 3]}).status_code == 422
    file = {"file": ("a.png", as_png(photo(5, 200, 160)))}
    assert web.post(where, files=file, data={"box": "10,10,90,90"}).json()["crop"] == [10, 10, 90, 90]


@pytest.mark.usefixtures("predictor")
def test_a_single_pixel_is_counted_with_a_warning(web: httpx.Client, where: str) -> None:
    answer = web.post(where, files={"file": ("dot.png", as_png(Image.new("RGB", (1, 1))))})
    assert answer.status_code == 200
    assert answer.json()["warnings"] == ["tiny_image", "enlarged"]


@pytest.mark.usefixtures("predictor")
def test_the_curve_has_a_point_for_each_share(web: httpx.Client, workspace: Workspace, where: str) -> None:
    curve = web.get(f"{where}/curve", params={"gallery": workspace.gallery, "row": 0}).json()["curve"]
    assert [point["area"] for point in curve] == pytest.approx(np.arange(0.5, 0.96, 0.05).tolist())
    assert all(point["norm"] <= point["total"] + 1e-6 for point in curve)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"row": 0}, 422),
        ({"gallery": "photos"}, 422),
        ({"gallery": "photos", "row": 0, "vector": [1]}, 422),
        ({"gallery": "photos", "row": -1}, 422),
        ({"gallery": "photos", "row": 10**30}, 422),
        ({"gallery": "photos", "row": 4000}, 404),
        ({"gallery": "nothing", "row": 0}, 404),
    ],
)
def test_an_image_that_cannot_be_found_says_why(
    web: httpx.Client, where: str, body: dict[str, Any], status: int
) -> None:
    assert web.post(where, json=body).status_code == status


def test_an_unknown_checkpoint_is_not_found(web: httpx.Client, workspace: Workspace) -> None:
    asked = {"gallery": workspace.gallery, "row": 0}
    assert web.post("/api/checkpoints/nothing/count", json=asked).status_code == 404
    assert web.get("/api/checkpoints/nothing/count", params=asked).status_code == 404


def answer(whole: list[float], tiles: list[list[float]]) -> CountAnswer:
    return CountAnswer(np.float32(whole), np.float32(tiles), (0, 0, 9, 9), False)


def test_the_residual_can_be_checked_by_hand() -> None:
    """Values of the specification's first check: the tiles sum to [1, 0, 1.75]."""
    example = answer([1, 0, 2], [[0.5, 0, 0.5], [0, 0, 1], [0.25, 0, 0.25], [0.25, 0, 0]])
    assert example.total.tolist() == [1, 0, 1.75]
    assert example.per_unit.tolist() == [0, 0, 0.25]
    assert example.squared == 0.0625
    assert example.relative == pytest.approx(0.0125)
    assert answer([0], [[1], [0], [0], [0]]).relative is None


def test_a_mismatched_pair_is_an_image_with_the_one_before_it() -> None:
    reference = Reference(np.float32([[0], [10], [30]]), np.float32([[1], [10], [33]]))
    # whole of the previous image against the total of this one: |30 - 1|, |0 - 10|, |10 - 33|
    assert mismatched_distances(reference).tolist() == [10, 23, 29]
    assert rank(23.5, mismatched_distances(reference)).share == pytest.approx(2 / 3)
    assert rank(10, mismatched_distances(reference)).closer == 0
