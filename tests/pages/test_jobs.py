"""The pages of the queue and of one job: whole without JavaScript, alive with it."""

import re
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page

from app.jobs import catalogue, table
from app.jobs.events import EVENTS, EventWriter
from app.jobs.folders import announce, job_folder
from app.jobs.records import JobError, JobRecord
from app.services.jobs.service import JobsService
from app.services.jobs.submissions.prepared import PreparedJob
from app.settings import Settings
from app.store.engine import Store
from app.store.tables import GalleryRow
from tests.conftest import Client, Server

PAGE = {"accept": "text/html"}
KINDS = {"train": replace(catalogue.KINDS["train"], submission=__name__)}  # with the `prepare` below


def prepare(_store: Store, _settings: Settings, spec: dict[str, Any]) -> PreparedJob:
    return PreparedJob(spec=spec, slug="net", path="checkpoints/net")


@pytest.fixture
def client(client: Client) -> Client:
    services = client.app.state.services
    client.app.state.services = replace(services, jobs=JobsService(services.store, services.settings, KINDS))
    return client


def submit(client: Client, **spec: Any) -> JobRecord:
    jobs: JobsService = client.app.state.services.jobs
    return jobs.submit("train", {"gallery": "birds", **spec})[0]


def run(client: Client, job: JobRecord, steps: int = 20) -> None:
    """A running job that has told something."""
    store: Store = client.app.state.services.store
    progress = {
        "step": steps,
        "total": 100,
        "unit": "steps",
        "rate": 640.0,
        "eta_seconds": 90,
        "metrics": {"loss": 9.5},
    }
    with store.write() as session:
        table.claim(session, "device", "cpu")
        table.save_progress(session, job.id, progress, 0)
    folder = job_folder(store.workspace, job.id)
    with EventWriter(folder / EVENTS) as events:
        for step in range(1, steps + 1):
            events.write("progress", {"step": step, "total": 100, "metrics": {"loss": 10 - step / 40, "lr": 1e-4}})
    (folder / "log.txt").write_text("attempt 1 on cpu\n<script>alert(1)</script>\n")


def test_an_empty_queue_says_what_to_do(client: Client) -> None:
    page = client.get("/jobs", headers=PAGE)
    assert page.status_code == 200
    assert "No jobs yet" in page.text
    assert "No one runs this workspace" in page.text
    assert "There is nothing to train on yet" in page.text


def test_a_running_job_shows_how_far_it_is_without_javascript(client: Client) -> None:
    job = submit(client)
    run(client, job)
    page = client.get(f"/jobs/{job.id}", headers=PAGE).text
    for text in ("Training of a network on birds", "of 100", "640", "1 min 30 s", "9.5", 'value="0.2"', "Reload"):
        assert text in page
    assert len(re.findall(r'<path class="line', page)) == 2
    assert f'action="/jobs/{job.id}/cancel"' in page
    assert f'action="/jobs/{job.id}/resume"' not in page
    assert "<script>alert" not in page, "a log is text"
    assert "&lt;script&gt;alert(1)" in page


def test_the_live_part_is_the_page_without_its_frame(client: Client) -> None:
    job = submit(client)
    run(client, job)
    live = client.get(f"/jobs/{job.id}/live", headers=PAGE).text
    whole = client.get(f"/jobs/{job.id}", headers=PAGE).text
    assert "<html" not in live
    parts = re.findall(r'data-part="(\w+)"', live)
    assert parts == re.findall(r'data-part="(\w+)"', whole)
    assert {"head", "progress", "stats", "curves", "log"} <= set(parts)


def test_a_failed_job_shows_why_and_can_be_resumed(client: Client) -> None:
    job = submit(client)
    run(client, job)
    with client.app.state.services.store.write() as session:
        table.finish(session, job.id, "failed", JobError("diverged", "The loss is <no> number."))
    page = client.get(f"/jobs/{job.id}", headers=PAGE).text
    assert "The loss is &lt;no&gt; number." in page
    answer = client.post(f"/jobs/{job.id}/resume")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job.id}")
    assert client.app.state.services.jobs.get(job.id).state == "queued"


def test_the_cancel_button_needs_no_javascript(client: Client) -> None:
    job = submit(client)
    answer = client.post(f"/jobs/{job.id}/cancel")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job.id}")
    assert "cancelled" in client.get(f"/jobs/{job.id}", headers=PAGE).text
    again = client.post(f"/jobs/{job.id}/cancel", headers=PAGE)
    assert (again.status_code, "has ended already" in again.text) == (409, True)


def test_the_list_is_filtered_by_state_and_paged(client: Client) -> None:
    jobs = [submit(client, n=n) for n in range(3)]
    client.app.state.services.jobs.cancel(jobs[0].id)
    page = client.get("/jobs?state=cancelled", headers=PAGE).text
    assert re.findall(r'<th scope="row"><a href="/jobs/(\d+)"', page) == [str(jobs[0].id)]
    first = client.get("/jobs?limit=2&state=queued&state=cancelled", headers=PAGE).text
    link = re.search(r'href="([^"]*cursor=[^"]*)"', first)
    assert link is not None
    assert "state=queued&amp;state=cancelled" in link.group(1)
    assert "limit=2" in link.group(1)
    rest = client.get(link.group(1).replace("&amp;", "&"), headers=PAGE).text
    assert re.findall(r'<th scope="row"><a href="/jobs/(\d+)"', rest) == [str(jobs[0].id)]


@pytest.mark.parametrize(("path", "status"), [("/jobs/77", 404), ("/jobs/x", 404), ("/jobs?state=asleep", 422)])
def test_what_is_not_there_is_a_page_too(client: Client, path: str, status: int) -> None:
    page = client.get(path, headers=PAGE)
    assert (page.status_code, page.headers["content-type"].split(";")[0]) == (status, "text/html")


def test_a_training_is_started_from_the_form(client: Client) -> None:
    with client.app.state.services.store.write() as session:
        session.add(GalleryRow(slug="birds", name="Birds", source={}, folder="galleries/birds", rows=9))
    page = client.get("/jobs", headers=PAGE).text
    assert '<option value="birds"' in page
    assert 'name="config.batch_size"' in page
    form = {
        "gallery": "birds",
        "recipe": "small",
        "seed": "3",
        "config.steps": "50",
        "config.flip": "no",
        "config.lr": "",
    }
    answer = client.post("/jobs/train", data=form)
    assert answer.status_code == 303
    job = client.app.state.services.jobs.get(answer.headers["location"].rsplit("/", 1)[1])
    assert job.spec == {
        "gallery": "birds",
        "task": "counting",
        "recipe": "small",
        "config": {"steps": 50, "flip": False},
        "seed": 3,
    }
    for bad in ({"config.steps": "many"}, {"config.colour": "1"}, {"seed": "1.5"}):
        assert client.post("/jobs/train", data={**form, **bad}).status_code == 422


def test_the_page_follows_its_job_in_a_browser(server: Server, tab: Page) -> None:
    jobs = JobsService(server.services.store, server.services.settings, KINDS)
    client = Client(server.app)
    job = jobs.submit("train", {"gallery": "photos", "only": "here"})[0]
    run(client, job, steps=5)
    tab.goto(f"/jobs/{job.id}")
    tab.get_by_role("button", name="Cancel").wait_for()
    assert tab.locator(".reload").is_hidden()
    with EventWriter(jobs.folder(job) / EVENTS) as events:
        events.write("progress", {"step": 50, "total": 100, "unit": "steps", "metrics": {"loss": 7.25}})
    with server.services.store.write() as session:
        table.save_progress(session, job.id, {"step": 50, "total": 100, "unit": "steps", "metrics": {"loss": 7.25}}, 0)
        table.finish(session, job.id, "cancelled")
    announce(server.services.store.workspace, job.id, "cancelled")
    tab.get_by_role("button", name="Resume").wait_for(timeout=10_000)
    assert "7.25" in tab.locator("[data-part=stats]").inner_text()
