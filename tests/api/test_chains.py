"""Knowledge transfer by REST: one call starts all links, each an ordinary job; what breaks blocks the rest."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.jobs import table
from app.settings import Settings
from models.card import read_card
from tests.conftest import Client, application
from tests.making import CLASSES, run_jobs

STUDENT = {"config": {"crop": 64, "region": 72, "hidden": 8, "batch_size": 8, "steps": 2, "held_out": 2}}
HOG: dict[str, Any] = {"checkpoint": "hog", "cluster_gallery": "photos", "k": 3, "student": STUDENT}


@pytest.fixture(scope="module")
def client(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Galleries of 40, 20 and 10 photos, without a supervisor: the tests run the jobs."""
    client = Client(application(Settings(workspace=tmp_path_factory.mktemp("chains"), roots=(photos.parent,))))
    for name, folder in (("Photos", photos), ("Beaches", beaches(photos)), ("Few", photos / CLASSES[0])):
        source = {"kind": "folder", "path": str(folder)}
        client.post("/api/galleries", json={"name": name, "source": source})
    run_jobs(client.app.state.services)
    yield client
    client.app.state.services.store.close()


def beaches(photos: Path) -> Path:
    """Twenty photos without labels."""
    folder = photos.parent / "beaches"
    folder.mkdir(exist_ok=True)
    for name in CLASSES[:2]:
        shutil.copytree(photos / name, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def chain(client: Client) -> dict[str, Any]:
    """HOG, three clusters, and a student of them; run to its end."""
    answer = client.post("/api/chains", json=HOG)
    assert answer.status_code == 202
    assert [link["state"] for link in answer.json()["chain"]] == ["there", "queued", "queued", "queued"]
    run_jobs(client.app.state.services)
    found: dict[str, Any] = client.get(answer.json()["links"]["self"]).json()
    return found


@pytest.mark.torch
def test_one_call_runs_the_whole_chain(client: Client, chain: dict[str, Any]) -> None:
    assert chain["state"] == "done"
    assert [link["step"] for link in chain["chain"]] == ["pretrain", "scan", "cluster", "student"]
    for link in chain["chain"]:
        assert client.get(link["links"]["page"]).status_code == 200
    student = client.get(f"/api/checkpoints/{chain['chain'][-1]['artefact']['slug']}").json()
    told = student["provenance"]
    assert (told["teacher"], told["teacher_layer"], told["clustering"]) == ("hog", "hog", "hog-on-photos-hog-k3")
    assert student["architecture"] == "alexnet" != told["teacher_architecture"] == "hog"
    assert student["sha256"] != told["teacher_sha256"]
    assert told["initialised"] == "from scratch, by the seed" and told["seed"] == 0
    largest = client.get("/api/clusters/hog-on-photos-hog-k3").json()["spread"]["largest_share"]
    assert student["measures"]["chance"]["accuracy"]["value"] == pytest.approx(largest, abs=1e-5) != 1 / 3


@pytest.mark.torch
def test_the_student_is_tested_on_images_that_made_no_centre(client: Client, chain: dict[str, Any]) -> None:
    folder = client.app.state.services.store.workspace
    card = read_card(folder / "checkpoints" / chain["chain"][-1]["artefact"]["slug"])
    clusters = client.get("/api/clusters/hog-on-photos-hog-k3").json()
    assert card.provenance["images_trained"] == clusters["fitted_rows"] < 40
    assert card.provenance["images_held_out"] == 2


@pytest.mark.torch
def test_the_same_call_is_the_same_chain(client: Client, chain: dict[str, Any]) -> None:
    again = client.post("/api/chains", json=HOG)
    assert again.status_code == 200 and again.json()["id"] == chain["id"]
    assert [item["id"] for item in client.get("/api/chains").json()["chains"]].count(chain["id"]) == 1


@pytest.mark.torch
def test_pseudo_labels_cross_galleries(client: Client, chain: dict[str, Any]) -> None:
    begin = chain["chain"][2]["artefact"]["slug"]
    spec = {"clustering": begin, "target_gallery": "beaches", "student": STUDENT}
    found = client.post("/api/chains", json=spec).json()
    steps = [(link["step"], link["gallery"], link["state"]) for link in found["chain"]]
    assert steps == [
        ("cluster", "photos", "there"),
        ("scan_target", "beaches", "queued"),
        ("pseudo_labels", "beaches", "queued"),
        ("student", "beaches", "queued"),
    ]
    labels = found["chain"][2]["job"]["spec"]
    assert (labels["method"], labels["centres"]) == ("centres", begin)
    assert client.post(found["links"]["cancel"]).json()["state"] == "cancelled"


def test_a_broken_link_blocks_the_rest_until_it_is_resumed(client: Client) -> None:
    spec = {**HOG, "checkpoint": "colour-histogram"}
    made = client.post("/api/chains", json=spec).json()
    store = client.app.state.services.store
    with store.write() as session:
        scan = table.claim(session, "device", "cpu")
        assert scan is not None and scan.kind == "scan"
        table.finish(session, scan.id, "failed", None)
    broken = client.get(made["links"]["self"]).json()
    assert [link["state"] for link in broken["chain"]] == ["there", "failed", "blocked", "blocked"]
    assert broken["state"] == "failed" and "waits for job" in broken["chain"][2]["error"]["message"]
    page = client.get(f"/chains/{made['id']}").text
    assert "Go on from features" in page and "blocked until it is taken up again" in page
    resumed = client.post(made["links"]["resume"])
    assert resumed.status_code == 202
    assert [link["state"] for link in resumed.json()["chain"]] == ["there", "queued", "queued", "queued"]
    client.post(made["links"]["cancel"])
    assert client.post("/api/chains", json=spec).json()["id"] == made["id"]  # asked again, it goes on
    client.post(made["links"]["cancel"])


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"k": 41}, 422, "k_too_large"),
        ({"layer": "conv5"}, 422, "unknown_layer"),
        ({"scan": "also"}, 422, "invalid_value"),
        ({"checkpoint": None}, 422, "invalid_value"),
        ({"checkpoint": "nothing"}, 404, "unknown_checkpoint"),
        ({"cluster_gallery": "nothing"}, 404, "unknown_gallery"),
        ({"target_gallery": "nothing"}, 404, "unknown_gallery"),
        ({"student": {"config": {"crop": 9}}}, 422, "bad_config"),
        ({"checkpoint": None, "pretrain": {"gallery": "photos", "task": "juggling"}}, 422, "bad_config"),
        ({"probe": "beaches"}, 422, "unlabelled"),
        ({"target_gallery": "few"}, 422, "too_few_images"),
        ({"checkpoint": None, "pretrain": {"gallery": "few", "task": "jigsaw"}}, 422, "too_few_images"),
        ({"checkpoint": None, "pretrain": {"gallery": "photos", "recipe": "paper"}}, 422, "too_few_images"),
        ({"colour": 1}, 422, "invalid_value"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_queued(
    client: Client, change: dict[str, Any], status: int, code: str
) -> None:
    before = client.get("/api/jobs", params={"limit": 1}).json()["jobs"][0]["id"]
    spec = {name: value for name, value in {**HOG, **change}.items() if value is not None}
    answer = client.post("/api/chains", json=spec)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert client.get("/api/jobs", params={"limit": 1}).json()["jobs"][0]["id"] == before


@pytest.mark.torch
def test_the_student_may_be_probed_on_a_third_gallery(client: Client, chain: dict[str, Any]) -> None:
    spec = {"clustering": chain["chain"][2]["artefact"]["slug"], "probe": "photos", "student": STUDENT | {"seed": 4}}
    found = client.post("/api/chains", json=spec).json()
    student, probe = found["chain"][-2:]
    assert (student["step"], probe["step"], probe["state"]) == ("student", "probe", "queued")
    asked = probe["job"]["spec"]
    assert (asked["checkpoint"], asked["gallery"]) == (student["artefact"]["slug"], "photos")
    client.post(found["links"]["cancel"])


def test_the_form_starts_a_pretext_task_and_all_that_follows(client: Client) -> None:
    page = client.get("/transfer").text
    assert "pretrain:rotation" in page and "checkpoint:hog" in page and 'name="target_gallery"' in page
    assert "checkpoint:colour-histogram" in page and "random (control)" in page and "teacher (of jigsaw_pp)" in page
    form = {
        "begin": "pretrain:rotation",
        "pretext_gallery": "photos",
        "pretext_steps": "7",
        "cluster_gallery": "photos",
        "k": "4",
        "student_network": "alexnet-torchvision",
        "target_gallery": "beaches",
    }
    answer = client.post("/transfer", data=form)
    assert answer.status_code == 303
    found = client.get("/api" + answer.headers["location"]).json()
    steps = [link["step"] for link in found["chain"]]
    assert steps == ["pretrain", "scan", "cluster", "scan_target", "pseudo_labels", "student"]
    assert found["spec"]["pretrain"]["config"] == {"steps": 7} and found["spec"]["layer"] == "conv5"
    assert len({link["job"]["id"] for link in found["chain"]}) == 6
    assert client.get(answer.headers["location"]).status_code == 200
    client.post(found["links"]["cancel"])
    assert client.get("/chains/999").status_code == 404


def test_a_vgg_teacher_is_clustered_by_its_own_last_convolution(client: Client) -> None:
    pretrain = {"gallery": "photos", "task": "jigsaw_pp", "recipe": "teacher"}
    spec = {"pretrain": pretrain, "cluster_gallery": "photos", "k": 4, "student": STUDENT}
    found = client.post("/api/chains", json=spec).json()
    assert found["spec"]["layer"] == "conv4_3"
    client.post(found["links"]["cancel"])
