"""A network that does not count walks through every page: its own measures, no bench, no broken link."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import Settings
from tests.conftest import Client, application
from tests.making import run_jobs
from tests.pages.test_walk import HTML, walk

pytestmark = pytest.mark.torch

CONFIG = {"crop": 64, "region": 72, "hidden": 16, "batch_size": 8, "steps": 3, "held_out": 8}


@pytest.fixture(scope="module")
def turning(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A workspace with a network trained on rotation for three steps, and its scan."""
    settings = Settings(workspace=tmp_path_factory.mktemp("turning"), roots=(photos.parent,))
    client = Client(application(settings))
    services = client.app.state.services
    client.post("/api/galleries", json={"name": "Photos", "source": {"kind": "folder", "path": str(photos)}})
    run_jobs(services)
    services.jobs.submit("train", {"gallery": "photos", "task": "rotation", "config": CONFIG})
    services.jobs.submit("scan", {"checkpoint": "rotation-photos", "gallery": "photos", "layers": ["conv1", "conv2"]})
    run_jobs(services)
    yield client
    services.store.close()


def test_no_page_of_it_leads_nowhere(turning: Client) -> None:
    """503 is the answer of pages that ask the predictor, which does not run here."""
    starts = ["http://127.0.0.1:8642/checkpoints/rotation-photos", "http://127.0.0.1:8642/"]
    found = [address for address, _ in walk(turning, starts, (200, 503))]
    assert len(found) > 15
    assert not [address for address in found if address.endswith("/count")]


def test_its_card_shows_accuracy_beside_random_init_and_guessing(turning: Client) -> None:
    page = turning.get("/checkpoints/rotation-photos", headers=HTML).text
    assert re.search(r"Accuracy<small>share of the puzzles", page)
    assert "guessing" in page and "Does it count?" not in page
    card = turning.get("/api/checkpoints/rotation-photos").json()
    assert card["gates"] is None
    assert card["measures"]["chance"]["accuracy"]["value"] == 0.25


def test_its_training_shows_a_puzzle_and_its_own_curves(turning: Client) -> None:
    job = turning.get("/api/jobs?kind=train").json()["jobs"][0]["id"]
    page = turning.get(f"/jobs/{job}", headers=HTML).text
    assert "How was the photo turned?" in page and "guessing 0.25" in page
    looks = turning.get(f"/api/jobs/{job}/looks").json()
    assert looks["question"] and looks["guessing"]["held_out_accuracy"] == 0.25
    (view,) = looks["views"]
    assert turning.get(view["picture"]).headers["content-type"] == "image/png"


def test_the_counting_bench_says_that_it_does_not_count(turning: Client) -> None:
    answer = turning.get("/api/checkpoints/rotation-photos/count?gallery=photos&row=0")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_counts")


def test_the_form_has_the_settings_of_the_chosen_task_only(turning: Client) -> None:
    for path in ("/jobs", "/galleries/photos"):
        page = turning.get(f"{path}?task=rotation", headers=HTML).text
        assert 'name="config.scale"' in page and 'name="config.margin"' not in page
        assert '<input type="hidden" name="task" value="rotation">' in page
        assert turning.get(f"{path}?task=juggling", headers=HTML).status_code == 404
    answer = turning.post("/jobs/train", data={"gallery": "photos", "task": "rotation", "config.margin": "3"})
    assert answer.status_code == 422


def test_labels_that_are_not_there_cannot_be_learned(turning: Client, photos: Path) -> None:
    source = {"kind": "folder", "path": str(photos / "beach"), "labels": "none"}
    turning.post("/api/galleries", json={"name": "Beaches", "source": source})
    run_jobs(turning.app.state.services)
    spec = {"gallery": "beaches", "task": "supervised"}
    answer = turning.post("/api/jobs", json={"kind": "train", "spec": spec})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_labels")
    spec = {"gallery": "photos", "task": "supervised", "config": {"classes": 3}}
    answer = turning.post("/api/jobs", json={"kind": "train", "spec": spec})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_config")


def test_its_units_are_seen_growing(turning: Client) -> None:
    """Three steps of training keep snapshots of steps 0, 1 and 2; the last step is the checkpoint."""
    scan = turning.get("/api/checkpoints/rotation-photos").json()["scans"][0]["slug"]
    unit = f"/scans/{scan}/units/conv2/0"
    assert "See it grow" in turning.get(unit, headers=HTML).text
    services = turning.app.state.services
    services.jobs.submit("timeline", {"checkpoint": "rotation-photos", "gallery": "photos", "images": 40})
    run_jobs(services)
    page = turning.get(f"{unit}?at=1", headers=HTML).text
    grown = page[page.index("As it grew") :]
    assert [f"at={step}#grown" in grown for step in (0, 1, 2, 3)] == [True] * 4
    assert "20-NN accuracy of conv2 at that step" in grown
    filters = turning.get("/checkpoints/rotation-photos/filters?at=0", headers=HTML)
    assert "At step 0" in filters.text
    assert turning.get("/api/checkpoints/rotation-photos/filters?at=7").status_code == 404
    answer = turning.post("/api/jobs", json={"kind": "timeline", "spec": {"checkpoint": "no", "gallery": "photos"}})
    assert answer.status_code == 404
