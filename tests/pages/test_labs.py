"""The break-it labs: a click starts one; its verdict is written from the numbers of its run beside the sound one."""

from typing import Any

import pytest

from app.jobs.folders import job_folder
from app.services.training.labs import LabRun, sentence, sound_sentence
from app.store.tables import GalleryRow
from models.counting.labs import LABS, SOUND, TASK
from models.recipes import differences
from models.training.validation_log import ValidationLog, ValidationPoint, write_validation_log
from tests.conftest import Client

PAGE = {"accept": "text/html"}


@pytest.fixture
def birds(client: Client) -> Client:
    """A workspace with one gallery; nobody runs its jobs."""
    row = GalleryRow(slug="birds", name="birds", folder="galleries/birds", rows=600)
    row.source = {"kind": "sample"}
    row.shards = [{"file": "shard-00000.arrow", "rows": 600, "sha256": "0" * 64}]
    with client.app.state.services.store.write() as session:
        session.add(row)
    return client


def look(client: Client, job: str, *points: tuple[int, float, float, float]) -> None:
    """What a run has seen: (step, pull, push, active units)."""
    folder = job_folder(client.app.state.services.store.workspace, int(job)) / "state"
    looks = tuple(
        ValidationPoint(
            step,
            {"held_out_loss": pull + push, "held_out_pull": pull, "held_out_push": push, "firing_units": units},
            (1.0, 1.0, 1.0, 1.0, 1.0),
        )
        for step, pull, push, units in points
    )
    write_validation_log(folder, ValidationLog(3, 128, looks))


def start(client: Client, recipe: str) -> str:
    answer = client.post(f"/labs/{recipe}", data={"gallery": "birds"})
    assert answer.status_code == 303
    return str(answer.headers["location"].rsplit("/", 1)[1])


def test_every_lab_differs_from_the_sound_run_in_one_setting() -> None:
    assert {lab.recipe: [name for name, _, _ in differences(TASK, SOUND, lab.recipe)] for lab in LABS} == {
        "collapse": ["lr"],
        "no-margin": ["margin"],
        "per-unit-hinge": ["hinge"],
        "one-kernel": ["kernels"],
    }


def test_a_click_starts_a_lab_and_a_second_one_finds_it(birds: Client) -> None:
    page = birds.get("/labs", headers=PAGE).text
    for lab in LABS:
        assert f'action="/labs/{lab.recipe}"' in page and lab.title in page
    first = start(birds, "collapse")
    assert start(birds, "collapse") == first
    job = birds.get(f"/api/jobs/{first}").json()
    assert (job["spec"]["recipe"], job["spec"]["config"]["lr"], job["spec"]["gallery"]) == ("collapse", 3e-4, "birds")
    assert f"Watch job {first}" in birds.get("/labs", headers=PAGE).text


def test_runs_stand_side_by_side_with_a_verdict_from_their_numbers(birds: Client) -> None:
    look(birds, start(birds, SOUND), (0, 8000, 0, 160), (300, 2.0, 6.0, 40))
    look(birds, start(birds, "collapse"), (0, 8000, 0, 160), (60, 0.001, 9.999, 1), (300, 0.0, 10.0, 0))
    look(birds, start(birds, "per-unit-hinge"), (300, 150.0, 0.0, 127))
    said = {lab["recipe"]: lab for lab in birds.get("/api/labs").json()["labs"]}
    dead = said["collapse"]
    assert dead["run"]["collapsed"] is True and dead["run"]["collapsed_at"] == 60
    assert dead["verdict"].startswith("Collapsed, first seen at step 60: a pull of 0.000 and a push of 10.000")
    assert dead["verdict"].endswith("with 0 active units. It counts nothing. The sound run has 40 active units.")
    assert "75 times that of the sound run (150.000 against 2.000)" in said["per-unit-hinge"]["verdict"]
    assert said["no-margin"]["verdict"] == "Not run yet."
    page = birds.get("/labs?gallery=birds", headers=PAGE).text
    for text in (dead["verdict"], "10.000", "collapsed", "Alive at step 300: pull 2.000, push 6.000, 40 active units"):
        assert text in page
    assert page.count("<tr>") == 1 + 3


def test_what_is_not_there_is_said(birds: Client) -> None:
    assert birds.get("/api/labs?gallery=none").status_code == 404
    assert birds.post("/labs/magic", data={"gallery": "birds"}).status_code == 404
    assert birds.post("/labs/collapse", data={"gallery": "none"}).status_code == 404


def test_without_a_gallery_the_page_says_what_to_do(client: Client) -> None:
    assert "Import photos" in client.get("/labs", headers=PAGE).text
    assert client.get("/api/labs").json()["gallery"] is None


def run(recipe: str, pull: float, push: float, unseen: float | None = None) -> LabRun:
    job: Any = None
    measures = {"held_out_pull": pull, "held_out_push": push, "firing_units": 5.0}
    return LabRun(recipe, job, 300, measures, [], None, unseen)


def test_a_kernel_is_called_learned_only_where_the_sound_run_does_much_better() -> None:
    sound = run(SOUND, 2, 6, unseen=0.9)
    assert sentence(run("one-kernel", 2, 6, unseen=1.0), sound).endswith("no proof that it has learned its kernel.")
    assert sentence(run("one-kernel", 2, 6, unseen=1.9), sound).endswith("The network has learned its kernel.")
    assert "1.90 times that with area" in sentence(run("one-kernel", 2, 6, unseen=1.9), sound)


def test_a_verdict_needs_a_sound_run_that_is_alive() -> None:
    assert "Run the sound one beside it" in sentence(run("collapse", 2, 6), None)
    assert "nothing can be compared" in sound_sentence(run(SOUND, 0.0, 10.0))
    assert sentence(run("collapse", 2, 6), run(SOUND, 1, 7)).startswith("Not broken at step 300")
