"""The page of a training: what held-out images say as it goes, and the scan that waits for it."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page

from app.store.tables import GalleryRow, ScanRow
from tests.conftest import Client, Server
from tests.making import Workspace

PAGE = {"accept": "text/html"}


@pytest.fixture
def birds(client: Client) -> Client:
    """A workspace with two galleries; nobody runs its jobs."""
    with client.app.state.services.store.write() as session:
        for slug in ("birds", "boats"):
            row = GalleryRow(slug=slug, name=slug, folder=f"galleries/{slug}", rows=600)
            row.source = {"kind": "sample"}
            row.shards = [{"file": "shard-00000.arrow", "rows": 600, "sha256": "0" * 64}]
            session.add(row)
    return client


@pytest.fixture(scope="module")
def training(web: httpx.Client) -> str:
    """The id of the training that made the workspace's checkpoint."""
    found: str = web.get("/api/jobs?kind=train").json()["jobs"][-1]["id"]
    return found


def test_the_scan_that_is_ticked_waits_for_the_training(birds: Client) -> None:
    page = birds.get("/jobs", headers=PAGE).text
    assert re.search(r'name="then_scan" value="yes" checked', page)
    answer = birds.post("/jobs/train", data={"gallery": "birds", "then_scan": "yes"})
    assert answer.headers["location"] == "/jobs/1"
    scan, train = birds.get("/api/jobs").json()["jobs"]
    assert (train["kind"], scan["kind"], scan["state"]) == ("train", "scan", "queued")
    assert (scan["spec"]["checkpoint"], scan["spec"]["gallery"]) == ("counting-birds", "birds")
    services = birds.app.state.services
    assert (services.jobs.needs(2), services.jobs.needed_by(1)) == ([1], [2])
    assert "Scan of birds with counting-birds" in birds.get("/jobs/1", headers=PAGE).text
    assert birds.post("/jobs/1/cancel").status_code == 303
    assert birds.get("/api/jobs/2").json()["state"] == "blocked"


def test_a_scan_can_be_of_another_gallery_and_can_be_left_out(birds: Client) -> None:
    birds.post("/jobs/train", data={"gallery": "birds", "then_scan": "yes", "scan_gallery": "boats"})
    assert birds.get("/api/jobs/2").json()["spec"]["gallery"] == "boats"
    birds.post("/jobs/train", data={"gallery": "birds", "config.steps": "7"})
    assert [job["kind"] for job in birds.get("/api/jobs").json()["jobs"]] == ["train", "scan", "train"]
    assert birds.post("/galleries/boats/train", data={"then_scan": "yes"}).status_code == 303
    assert birds.get("/api/jobs").json()["jobs"][0]["spec"]["gallery"] == "boats"


def test_a_gallery_that_is_too_small_to_train_on_is_offered_last(birds: Client) -> None:
    with birds.app.state.services.store.write() as session:
        session.add(GalleryRow(slug="few", name="few", folder="galleries/few", rows=19, source={"kind": "sample"}))
    page = birds.get("/jobs", headers=PAGE).text
    offered = page[page.index('name="gallery"') :]
    assert offered.index("boats") < offered.index("birds") < offered.index("few")


def test_nothing_is_queued_where_the_gallery_to_scan_is_not_there(birds: Client) -> None:
    answer = birds.post("/jobs/train", data={"gallery": "birds", "then_scan": "yes", "scan_gallery": "none"})
    assert answer.status_code == 404
    assert birds.get("/api/jobs").json()["jobs"] == []


def test_the_same_again_finds_both_jobs_and_a_done_scan_is_not_made_twice(birds: Client) -> None:
    form = {"gallery": "birds", "then_scan": "yes"}
    for _ in range(2):
        assert birds.post("/jobs/train", data=form).headers["location"] == "/jobs/1"
    assert len(birds.get("/api/jobs").json()["jobs"]) == 2
    with birds.app.state.services.store.write() as session:
        session.add(ScanRow(slug="s", checkpoint="counting-boats", gallery="boats", folder="scans/s", done=True))
    birds.post("/jobs/train", data={"gallery": "boats", "then_scan": "yes"})
    assert [job["kind"] for job in birds.get("/api/jobs").json()["jobs"]] == ["train", "scan", "train"]


def test_the_page_shows_what_held_out_images_said(web: httpx.Client, training: str, workspace: Workspace) -> None:
    looks = web.get(f"/api/jobs/{training}/looks").json()
    first, last = looks["looks"][0], looks["looks"][-1]
    assert (first["step"], last["step"]) == (0, 3)
    assert last["ratio"] == pytest.approx(last["totals"][0] / sum(last["totals"][1:]))
    assert looks["image"]["gallery"] == workspace.gallery
    page = web.get(f"/jobs/{training}", headers=PAGE).text
    assert f"{last['measures']['held_out_loss']:.3f}" in page
    assert "collapsed: counts nothing (10.000)" in page
    for title in ("Pull and push", "Additivity ratio", "R², held out", "Active units", "TV ratio of the first filters"):
        assert f"<h2>{title}</h2>" in page
    assert len(re.findall(rf'src="/api/jobs/{training}/views/[a-z0-9-]+\.png"', page)) == 5
    for view in looks["views"]:
        answer = web.get(view["picture"])
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert web.get(f"/api/jobs/{training}/views/tile-9.png").status_code == 404


@pytest.mark.usefixtures("training")
def test_a_job_that_is_no_training_has_no_looks(web: httpx.Client) -> None:
    other = next(job["id"] for job in web.get("/api/jobs").json()["jobs"] if job["kind"] != "train")
    assert web.get(f"/api/jobs/{other}/looks").json()["looks"] == []
    assert web.get(f"/api/jobs/{other}/views/whole.png").status_code == 404
    assert "One image, five inputs" not in web.get(f"/jobs/{other}", headers=PAGE).text


@pytest.fixture
def queue(web: httpx.Client) -> Iterator[None]:
    """Whatever is waiting afterwards is cancelled."""
    yield
    for job in web.get("/api/jobs?state=queued").json()["jobs"]:
        web.post(f"/api/jobs/{job['id']}/cancel")


@pytest.mark.usefixtures("queue")
def test_a_training_with_its_scan_is_two_clicks_from_home(server: Server, tab: Page) -> None:
    tab.goto("/")
    tab.get_by_role("navigation", name="Main").get_by_role("link", name="Jobs").click()
    tab.get_by_role("button", name="Start training").click()
    tab.wait_for_url(re.compile(r"/jobs/\d+$"))
    number = int(tab.url.rsplit("/", 1)[1])
    (scan,) = server.services.jobs.needed_by(number)
    assert server.services.jobs.get(scan).kind == "scan"
    assert tab.get_by_role("heading", name="Then").is_visible()
