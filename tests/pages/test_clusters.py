"""Pages of clusterings: whole without JavaScript, members of both kinds, labels marked as unused."""

import httpx

from tests.making import Workspace


def test_the_scan_leads_to_its_clusters_and_the_form(web: httpx.Client, workspace: Workspace) -> None:
    where = f"/scans/{workspace.scan}/clusters"
    assert where in web.get(f"/scans/{workspace.scan}").text
    page = web.get(where)
    assert page.status_code == 200 and f"/clusters/{workspace.clustering}" in page.text
    assert 'name="k"' in page.text and 'name="spherical"' in page.text and 'name="pca"' in page.text


def test_a_clustering_shows_both_kinds_of_members_sizes_and_labels_as_unused(
    web: httpx.Client, workspace: Workspace
) -> None:
    page = web.get(f"/clusters/{workspace.clustering}").text
    for words in (
        "Nearest to the centre",
        "Random members",
        "Sizes",
        "Entropy",
        "Inertia",
        "Random, of the same sizes",
    ):
        assert words in page
    assert "labels were not used in training" in page and "label unused in training" in page
    assert page.count('class="bar"') == 5
    seen = web.get(f"/api/clusters/{workspace.clustering}").json()["seen"]
    assert 0 < seen["share"] < 1 and "Seen in training" in page  # the network was trained on most of this gallery
    assert web.get(f"/clusters/{workspace.clustering}?sort=tight").status_code == 200


def test_a_cluster_has_a_page_that_leads_to_its_neighbours(web: httpx.Client, workspace: Workspace) -> None:
    page = web.get(f"/clusters/{workspace.clustering}/1").text
    assert 'rel="prev"' in page and 'rel="next"' in page and "Random members" in page


def test_the_form_starts_a_job(web: httpx.Client, workspace: Workspace) -> None:
    form = {"layer": "conv4", "k": "3", "method": "kmeans", "centres": "", "pca": "", "iterations": "5", "seed": "1"}
    answer = web.post(f"/scans/{workspace.scan}/clusters", data=form)
    assert answer.status_code == 303 and "/jobs/" in answer.headers["location"]
    job = web.get("/api" + answer.headers["location"].removeprefix(str(web.base_url))).json()
    assert job["spec"]["layer"] == "conv4" and job["spec"]["k"] == 3 and job["spec"]["pca"] is None
    web.post(f"/api/jobs/{job['id']}/cancel")


def test_the_form_refuses_more_clusters_than_images(web: httpx.Client, workspace: Workspace) -> None:
    form = {"layer": "conv4", "k": "2000", "method": "kmeans"}
    answer = web.post(f"/scans/{workspace.scan}/clusters", data=form, headers={"accept": "text/html"})
    assert answer.status_code == 422 and "at least 2000 images" in answer.text
