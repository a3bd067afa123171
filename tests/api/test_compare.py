"""Evaluations and comparisons by REST."""

import io

import httpx
import numpy as np
import pytest
from PIL import Image

from models.card import first_layer_filters
from models.counting.gates import GATES
from models.filters.pictures import common_limit
from tests.conftest import Client, Server
from tests.making import Workspace


def test_a_card_says_which_gates_are_passed_on_what(web: httpx.Client, workspace: Workspace) -> None:
    gates = web.get(f"/api/checkpoints/{workspace.checkpoint}?on=own").json()["gates"]
    assert gates["on"] == "own" and gates["required"] == 7
    assert [gate["name"] for gate in gates["gates"]] == [gate.name for gate in GATES]
    ratio = gates["gates"][0]["columns"]
    assert ratio["averager"]["value"] == pytest.approx(0.25) and ratio["averager"]["verdict"] == "fail"
    assert set(ratio) == {"network", "random_init", "averager", "constant"}
    assert gates["sentence"] and gates["passed"] < 7  # three steps teach nobody to count


def test_evaluations_list_what_was_measured_where(web: httpx.Client, workspace: Workspace) -> None:
    found = web.get(f"/api/checkpoints/{workspace.checkpoint}/evaluations").json()["evaluations"]
    assert found[0]["on"] == "own" and found[0]["freshness"] == "same"
    assert found[0]["measures"]["network"]["loss"]["n"] > 0


def test_the_table_of_trained_and_tested_names_everyone(web: httpx.Client, workspace: Workspace) -> None:
    table = web.get("/api/trained-tested").json()
    assert workspace.gallery in [gallery["slug"] for gallery in table["galleries"] if gallery["here"]]
    slugs = [row["checkpoint"] for row in table["checkpoints"]]
    assert workspace.checkpoint in slugs and slugs[-1] == "random-init"
    for row in table["checkpoints"]:
        assert set(row["tested_on"]) == {gallery["slug"] for gallery in table["galleries"]}
        assert web.get(row["links"]["self"]).status_code == 200


def test_two_checkpoints_are_compared_with_links_to_both(web: httpx.Client, workspace: Workspace) -> None:
    found = web.get(f"/api/compare?a={workspace.checkpoint}&b=random-init").json()
    assert (found["a"]["slug"], found["b"]["slug"]) == (workspace.checkpoint, "random-init")
    for link in [*found["links"].values(), *found["a"]["links"].values(), *found["b"]["links"].values()]:
        wanted = (200, 503) if "/api/tasks/" in link else (200, 422)  # a puzzle wants the network, /count an image
        assert web.get(link).status_code in wanted, link


def test_both_panels_of_filters_share_one_scale(web: httpx.Client, server: Server, workspace: Workspace) -> None:
    """The whole of one picture at zoom 1 is the weights over the limit of both."""
    pair = f"a={workspace.checkpoint}&b=random-init"
    layers = {
        side: first_layer_filters(server.services.checkpoints.get(slug).folder)
        for side, slug in (("a", workspace.checkpoint), ("b", "random-init"))
    }
    limit = common_limit(*layers.values())
    for side, weights in layers.items():
        answer = web.get(f"/api/compare/filters.png?{pair}&side={side}&zoom=1")
        picture = np.asarray(Image.open(io.BytesIO(answer.content)))
        strongest = weights[np.linalg.norm(weights.reshape(len(weights), -1), axis=1).argmax()]
        expected = np.clip(np.rint(127.5 + 127.5 * strongest / np.float32(limit)), 0, 255).astype(np.uint8)
        assert np.abs(picture[1:12, 1:12].astype(int) - expected.transpose(1, 2, 0)).max() <= 1


@pytest.mark.parametrize("query", ["", "a=x", "a=&b=", "a=x&b=y&side=c"])
def test_a_pair_that_is_not_one_is_422(client: Client, query: str) -> None:
    assert client.get(f"/api/compare/filters.png?{query}").status_code == 422


@pytest.mark.parametrize(
    "path", ["/api/compare?a=x&b=y", "/api/compare/filters.png?a=x&b=y", "/api/checkpoints/x/evaluations"]
)
def test_who_is_not_there_is_404(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404
    assert client.get(path).json()["error"]["code"] == "unknown_checkpoint"


def test_a_gallery_on_which_they_were_not_measured_is_404(web: httpx.Client, workspace: Workspace) -> None:
    answer = web.get(f"/api/compare?a={workspace.checkpoint}&b=random-init&on=nowhere")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_measured")
