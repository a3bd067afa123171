"""HOG by REST: scanned and clustered like a checkpoint, found by its own image, drawn as glyphs."""

import httpx
import numpy as np
import pytest

from models.scans.files import ScanReader
from tests.conftest import Server
from tests.making import Workspace, run_jobs


@pytest.fixture(scope="module")
def hog(server: Server, web: httpx.Client, workspace: Workspace) -> str:
    """The scan of the photos with HOG, and its clusters."""
    spec = {"checkpoint": "hog", "gallery": workspace.gallery}
    made = web.post("/api/jobs", json={"kind": "scan", "spec": spec}).json()
    cluster = {"scan": f"hog-on-{workspace.gallery}", "layer": "hog", "k": 4}
    assert web.post("/api/jobs", json={"kind": "cluster", "spec": cluster}).status_code == 202
    run_jobs(server.services)
    assert web.get(made["links"]["self"]).json()["state"] == "done"
    return f"hog-on-{workspace.gallery}"


@pytest.mark.torch
def test_hog_is_a_checkpoint_that_learned_nothing(web: httpx.Client, hog: str) -> None:  # noqa: ARG001
    card = web.get("/api/checkpoints/hog").json()
    assert card["architecture"] == "hog" and card["provenance"]["learned_weights"] == 0
    assert [layer["units"] for layer in card["layers"]] == [1764]
    page = web.get("/checkpoints/hog")
    assert page.status_code == 200 and "nothing learned" in page.text and "/checkpoints/hog/glyphs" in page.text
    assert web.get("/api/checkpoints/hog/filters").status_code == 409


@pytest.mark.torch
def test_what_only_a_network_can_do_is_refused_before_it_is_queued(
    web: httpx.Client,
    workspace: Workspace,
    hog: str,  # noqa: ARG001
) -> None:
    before = web.get("/api/jobs").json()["jobs"]
    for kind, more in (
        ("probe", {}),
        ("sanity", {}),
        ("export", {"format": "pth"}),
        ("export", {"format": "rescaled"}),
    ):
        spec = {"checkpoint": "hog", **({"gallery": workspace.gallery} if kind != "export" else {}), **more}
        refused = web.post("/api/jobs", json={"kind": kind, "spec": spec})
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "no_network"), kind
        assert "no network to" in refused.json()["error"]["message"]
    assert web.get("/api/jobs").json()["jobs"] == before
    page = web.get("/checkpoints/hog").text
    assert "Scan it" in page and "/start/export" not in page and "/start/sanity" not in page and "#probe" not in page


@pytest.mark.torch
def test_a_scan_of_hog_holds_what_hog_says(web: httpx.Client, workspace: Workspace, hog: str) -> None:
    glyph = web.get("/api/checkpoints/hog/glyphs", params={"gallery": workspace.gallery, "row": 7}).json()
    stored = ScanReader(workspace.path / "scans" / hog).embedding("hog", 7)
    corner = stored.reshape(7, 7, 2, 2, 9)[0, 0, 0, 0]
    assert glyph["strengths"][0][0] == pytest.approx(corner, abs=1e-3)
    assert np.array(glyph["strengths"]).shape == (8, 8, 9)
    for path in (f"/scans/{hog}", f"/scans/{hog}/units/hog", f"/scans/{hog}/units/hog/3", f"/scans/{hog}/clusters"):
        assert web.get(path).status_code == 200, path


@pytest.mark.torch
def test_an_image_is_its_own_nearest_neighbour_in_hog(web: httpx.Client, hog: str) -> None:
    found = web.get(f"/api/scans/{hog}/search", params={"row": 3, "layer": "hog", "k": 3}).json()["neighbors"]
    assert len(found) == 3 and 3 not in {item["row"] for item in found}
    assert web.get(f"/scans/{hog}/search?row=3").status_code == 200


@pytest.mark.torch
def test_centres_of_hog_are_drawn(web: httpx.Client, hog: str) -> None:
    page = web.get(f"/clusters/{hog}-hog-k4")
    assert page.status_code == 200 and page.text.count('class="glyph"') == 4
    assert web.get(f"/clusters/{hog}-hog-k4/0").text.count('class="glyph"') == 1


def test_only_hog_has_glyphs(web: httpx.Client, workspace: Workspace) -> None:
    asked = {"gallery": workspace.gallery, "row": 0}
    assert web.get(f"/api/checkpoints/{workspace.checkpoint}/glyphs", params=asked).status_code == 409
    assert web.get("/api/checkpoints/hog/glyphs", params={**asked, "row": 999}).status_code == 404
