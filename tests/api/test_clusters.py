"""Clusterings by REST: made as jobs, checked before they are queued, read with their members and measures."""

from io import BytesIO
from itertools import pairwise
from typing import Any

import httpx
import numpy as np
import pytest

from models.clusters.files import ClusteringReader
from models.scans.files import ScanReader
from tests.conftest import Server
from tests.making import Workspace, run_jobs


def submit(web: httpx.Client, **spec: Any) -> httpx.Response:
    return web.post("/api/jobs", json={"kind": "cluster", "spec": spec})


@pytest.fixture(scope="module")
def more(server: Server, web: httpx.Client, workspace: Workspace) -> dict[str, str]:
    """Random pseudo-labels, and the first clustering's centres applied to the same scan."""
    specs = {
        "random": {"method": "random", "k": 5},
        "centres": {"method": "centres", "centres": workspace.clustering},
        "whitened": {"k": 4, "pca": 3, "whiten": True, "spherical": True, "fit": "all"},
    }
    for spec in specs.values():
        assert submit(web, scan=workspace.scan, layer="conv5", **spec).status_code == 202
    run_jobs(server.services)
    listed = web.get("/api/clusters").json()["clusters"]
    methods = {item["method"] if item["k"] == 5 else "whitened": item["slug"] for item in listed}
    return {name: methods[name] for name in specs}


def test_every_image_has_the_nearest_stored_centre(workspace: Workspace) -> None:
    made = ClusteringReader(workspace.path / "clusters" / workspace.clustering)
    points = made.space.apply(ScanReader(workspace.path / "scans" / workspace.scan).embeddings("conv5"))
    assert made.centres is not None and np.linalg.norm(points, axis=1) == pytest.approx(np.ones(40), abs=1e-5)
    distances = np.square(points[:, None].astype(np.float64) - made.centres[None]).sum(axis=2)
    assert (distances.argmin(axis=1) == made.clusters).all()
    assert np.sqrt(distances.min(axis=1)) == pytest.approx(made.distances, abs=1e-3)


def test_a_clustering_tells_how_it_was_made(web: httpx.Client, workspace: Workspace) -> None:
    found = web.get(f"/api/clusters/{workspace.clustering}").json()
    assert (found["scan"], found["layer"], found["k"], found["rows"]) == (workspace.scan, "conv5", 5, 40)
    assert sum(found["sizes"]) == 40 and len(found["sizes"]) == 5
    assert 30 < found["fitted_rows"] < 40  # no train split: about nine tenths
    falling = found["inertia"]
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(falling))
    assert found["spread"]["entropy_bits"] <= found["spread"]["most_bits"] == pytest.approx(np.log2(5))
    measured = found["against_labels"]
    assert measured["labels"] == 4 and measured["images"] == 40 and found["labels_used_in_training"] is False
    assert set(measured["random"]) == {"purity", "ami", "ari"} and measured["purity"] >= 0.25


def test_members_are_nearest_first_and_random_ones_are_drawn_by_a_seed(web: httpx.Client, workspace: Workspace) -> None:
    where = f"/api/clusters/{workspace.clustering}"
    found = web.get(where).json()["clusters"]
    assert [item["size"] for item in found] == sorted((item["size"] for item in found), reverse=True)
    labels = np.load(BytesIO(web.get(f"{where}/assignment.npy").content))
    for item in found:
        distances = [image["distance"] for image in item["nearest"]]
        assert distances == sorted(distances)
        rows = {image["row"] for image in (*item["nearest"], *item["random"])}
        assert {int(labels[row]) for row in rows} == {item["cluster"]}
    number = found[0]["cluster"]
    assert web.get(f"{where}/{number}?seed=3").json() == web.get(f"{where}/{number}?seed=3").json()
    assert web.get(f"{where}/5").status_code == 404


def test_centres_may_come_from_another_clustering(
    web: httpx.Client, more: dict[str, str], workspace: Workspace
) -> None:
    taken = web.get(f"/api/clusters/{more['centres']}").json()
    own = web.get(f"/api/clusters/{workspace.clustering}").json()
    assert taken["source"] == workspace.clustering and taken["centres_sha256"] == own["centres_sha256"]
    assert taken["sizes"] == own["sizes"] and taken["fitted_rows"] == 0


def test_random_pseudo_labels_know_nothing_of_the_images(web: httpx.Client, more: dict[str, str]) -> None:
    found = web.get(f"/api/clusters/{more['random']}").json()
    assert found["centres_sha256"] is None and sum(found["sizes"]) == 40
    assert all(item["nearest"] == [] and item["mean_distance"] is None for item in found["clusters"])


def test_whitening_and_spherical_are_recorded(web: httpx.Client, more: dict[str, str]) -> None:
    found = web.get(f"/api/clusters/{more['whitened']}").json()
    assert found["dimension"] == 3 and found["options"]["spherical"] and found["fitted_rows"] == 40


def test_two_clusterings_of_a_gallery_are_compared(
    web: httpx.Client, more: dict[str, str], workspace: Workspace
) -> None:
    asked = {"a": workspace.clustering, "b": more["centres"]}
    web.get("/api/clusters", params=asked)
    for _ in range(40):
        if (found := web.get("/api/clusters", params=asked).json()["agreement"]) is not None:
            break
    assert found is not None and (found["ari"], found["images"]) == (1.0, 40)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"k": 41}, 422, "k_too_large"),
        ({"k": 40}, 422, "k_too_large"),  # of 40 images about 36 are fitted on
        ({"k": 1}, 422, "invalid_value"),
        ({"layer": "conv9"}, 422, "unknown_layer"),
        ({"whiten": True}, 422, "invalid_value"),
        ({"method": "centres"}, 422, "invalid_value"),
        ({"centres": "nothing", "method": "centres"}, 404, "unknown_clustering"),
        ({"scan": "nothing"}, 404, "unknown_scan"),
        ({"colour": 1}, 422, "invalid_value"),
    ],
)
def test_what_cannot_be_clustered_is_refused_before_it_is_queued(
    web: httpx.Client, workspace: Workspace, change: dict[str, Any], status: int, code: str
) -> None:
    answer = submit(web, **{"scan": workspace.scan, "layer": "conv5", "k": 3, **change})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_clustering_cannot_be_compared_with_what_is_not_there(web: httpx.Client, workspace: Workspace) -> None:
    assert web.get("/api/clusters", params={"a": workspace.clustering, "b": "nothing"}).status_code == 404
    assert web.get("/api/clusters/nothing").status_code == 404
