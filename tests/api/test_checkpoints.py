"""Checkpoints and their filters by REST."""

import io
import time
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from models.card import first_layer_filters, read_card, step0_filters
from models.filters.measures import MEASURES
from tests.conftest import Client, Server
from tests.making import CHANNELS, Workspace


@pytest.fixture(scope="module")
def card(web: httpx.Client, workspace: Workspace) -> dict[str, Any]:
    answer = web.get(f"/api/checkpoints/{workspace.checkpoint}")
    assert answer.status_code == 200
    return dict(answer.json())


@pytest.fixture(scope="module")
def filters(web: httpx.Client, workspace: Workspace) -> dict[str, Any]:
    return dict(web.get(f"/api/checkpoints/{workspace.checkpoint}/filters").json())


def test_a_new_workspace_has_an_empty_list(client: Client) -> None:
    assert client.get("/api/checkpoints").json() == {"checkpoints": [], "next": None}


def test_a_trained_checkpoint_is_listed_with_its_links(web: httpx.Client, workspace: Workspace) -> None:
    listed = web.get("/api/checkpoints").json()
    assert listed["next"] is None
    (found,) = [item for item in listed["checkpoints"] if item["slug"] == workspace.checkpoint]
    assert found["created_at"].endswith("Z")
    assert found["links"]["self"] == f"/api/checkpoints/{workspace.checkpoint}"
    for name in ("self", "page", "filters", "filters_png", "job"):
        assert web.get(found["links"][name]).status_code == 200


def test_layers_come_in_forward_order_with_the_agreed_fields(card: dict[str, Any]) -> None:
    names = [layer["name"] for layer in card["layers"]]
    assert names == ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "counts"]
    agreed = {"name", "units", "stride", "receptive_field", "kind"}
    assert all(set(layer) == {*agreed, "value"} for layer in card["layers"])
    assert {key: card["layers"][0][key] for key in agreed} == {
        "name": "conv1",
        "units": CHANNELS[0],
        "stride": 2,
        "receptive_field": 11,
        "kind": "conv",
    }
    assert {key: card["layers"][-1][key] for key in agreed} == {
        "name": "counts",
        "units": 8,
        "stride": None,
        "receptive_field": None,
        "kind": "counts",
    }


def test_a_card_tells_where_it_came_from_and_how_it_measured(card: dict[str, Any], workspace: Workspace) -> None:
    assert card["provenance"]["gallery"] == workspace.gallery and card["provenance"]["seed"] == 0
    assert {"network", "random_init", "averager", "constant"} <= set(card["measures"])
    loss = card["measures"]["network"]["loss"]
    assert loss["n"] > 0 and loss["interval"][0] <= loss["value"] <= loss["interval"][1]
    assert card["preprocessing"]["crop"] == 64 and card["config"]["steps"] == 3
    assert [scan["slug"] for scan in card["scans"]] == [workspace.scan]
    assert str(workspace.path) not in str(card)


def test_the_weights_of_the_filters_are_those_on_disk(filters: dict[str, Any], server: Server) -> None:
    folder = server.services.checkpoints.get(server.workspace.checkpoint).folder
    weights = np.array(filters["weights"], dtype=np.float32)
    assert filters["layer"] == read_card(folder).first_layer.name
    assert list(weights.shape) == filters["shape"] == [CHANNELS[0], 3, 11, 11]
    np.testing.assert_array_equal(weights, first_layer_filters(folder))


def test_every_filter_has_every_measure(filters: dict[str, Any]) -> None:
    assert set(filters["measures"]) == set(MEASURES)
    assert {len(values) for values in filters["measures"].values()} == {CHANNELS[0]}
    weights = np.array(filters["weights"])
    np.testing.assert_allclose(filters["measures"]["norm"], np.sqrt((weights**2).sum(axis=(1, 2, 3))), rtol=1e-5)


def test_the_change_is_measured_against_the_run_s_own_start(filters: dict[str, Any], server: Server) -> None:
    folder = server.services.checkpoints.get(server.workspace.checkpoint).folder
    now, start = first_layer_filters(folder), step0_filters(folder)
    assert start is not None
    moved, before = (np.sqrt(np.square(part).sum(axis=(1, 2, 3))) for part in (now - start, start))
    np.testing.assert_allclose(filters["relative_change"], moved / before, rtol=1e-3)


def test_k_means_of_the_gallery_s_patches_stands_beside(web: httpx.Client, workspace: Workspace) -> None:
    address = f"/api/checkpoints/{workspace.checkpoint}/filters"
    deadline = time.monotonic() + 60
    while (kmeans := web.get(address).json()["kmeans"])["preparing"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert kmeans["gallery"] == workspace.gallery and np.array(kmeans["weights"]).shape == (CHANNELS[0], 3, 11, 11)
    np.testing.assert_allclose(kmeans["measures"]["norm"], 1, rtol=1e-4)
    assert web.get(f"{address}.png?panel=kmeans").headers["content-type"] == "image/png"
    assert web.get(f"{address}?gallery=nowhere").status_code == 404


def test_three_steps_leave_noise_and_the_answer_says_so(filters: dict[str, Any]) -> None:
    assert filters["smoother_than_noise"] is False and filters["step0"]["smoother_than_noise"] is False
    assert filters["medians"]["tv_ratio"] == pytest.approx(filters["noise_medians"]["tv_ratio"], abs=0.05)
    assert "not clearly smoother than noise" in filters["sentence"]


@pytest.mark.parametrize("query", ["", "?scale=own&sort=smoothness", "?panel=step0&zoom=1&sort=colourfulness"])
def test_the_filters_are_one_picture(web: httpx.Client, workspace: Workspace, query: str) -> None:
    answer = web.get(f"/api/checkpoints/{workspace.checkpoint}/filters.png{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.width * picture.height >= CHANNELS[0] * 11**2


@pytest.mark.parametrize("query", ["scale=huge", "sort=beauty", "zoom=0", "zoom=17", "panel=both"])
def test_a_picture_that_cannot_be_drawn_is_422(web: httpx.Client, workspace: Workspace, query: str) -> None:
    answer = web.get(f"/api/checkpoints/{workspace.checkpoint}/filters.png?{query}")
    assert answer.status_code == 422 and answer.json()["error"]["code"]


@pytest.mark.parametrize("path", ["", "/filters", "/filters.png"])
def test_an_unknown_checkpoint_is_404(client: Client, path: str) -> None:
    answer = client.get(f"/api/checkpoints/nothing{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "unknown_checkpoint"


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "cursor=nonsense"])
def test_a_list_outside_its_bounds_is_422(client: Client, query: str) -> None:
    assert client.get(f"/api/checkpoints?{query}").status_code == 422
