"""Jobs by REST: every answer that the contract names."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest

from app.failures import BadQuery
from app.jobs import catalogue, table
from app.jobs.events import EVENTS, EventWriter
from app.jobs.folders import job_folder
from app.jobs.records import JobError
from app.jobs.states import State
from app.services.jobs.service import JobsService
from app.services.jobs.submissions.prepared import PreparedJob
from app.settings import Settings
from app.store.engine import Store
from tests.conftest import Client

KEYS = {"id", "kind", "state", "progress", "step", "total", "unit", "eta_seconds", "metrics", "error", "attempt"}
KINDS = {"train": replace(catalogue.KINDS["train"], submission=__name__)}  # with the `prepare` below


def prepare(_store: Store, _settings: Settings, spec: dict[str, Any]) -> PreparedJob:
    """A kind that takes any spec but one."""
    if "bad" in spec:
        raise BadQuery("bad_spec", "This spec is bad.")
    return PreparedJob(spec=spec, slug="net", path="checkpoints/net")


def lenient(client: Client) -> Client:
    """The client of an application whose trainings take any spec, and which no one runs."""
    services = client.app.state.services
    client.app.state.services = replace(services, jobs=JobsService(services.store, services.settings, KINDS))
    return client


@pytest.fixture
def client(client: Client) -> Client:
    return lenient(client)


def submit(client: Client, **spec: Any) -> dict[str, Any]:
    answer = client.post("/api/jobs", json={"kind": "train", "spec": spec})
    assert answer.status_code == 202
    job: dict[str, Any] = answer.json()
    return job


def store_of(client: Client) -> Store:
    store: Store = client.app.state.services.store
    return store


def start(client: Client) -> None:
    """What a supervisor does first."""
    with store_of(client).write() as session:
        assert table.claim(session, "device", "cpu") is not None


def end(client: Client, job: dict[str, Any], state: State) -> None:
    """What a supervisor does last."""
    error = JobError("diverged", "The loss is no number.") if state == "failed" else None
    with store_of(client).write() as session:
        table.save_progress(
            session, int(job["id"]), {"step": 5, "total": 20, "unit": "steps", "metrics": {"loss": 2.0}}, 0
        )
        assert table.finish(session, int(job["id"]), state, error)


def error_of(answer: httpx.Response) -> str:
    """The code of an error, which has the shape that all have."""
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "detail"}
    code: str = body["error"]["code"]
    return code


def test_a_submitted_job_is_shown_as_the_contract_says(client: Client) -> None:
    job = submit(client, gallery="birds")
    assert set(job) >= KEYS
    assert (job["state"], job["progress"], job["attempt"], job["error"]) == ("queued", None, 0, None)
    assert job["links"]["self"] == f"/api/jobs/{job['id']}"
    assert job["links"]["page"] == f"/jobs/{job['id']}"
    assert "checkpoint" not in job["links"]
    assert datetime.fromisoformat(job["created_at"]).utcoffset() is not None
    assert client.get(job["links"]["self"]).json() == job


def test_the_same_spec_again_answers_200_with_the_same_job_and_again_makes_another(client: Client) -> None:
    first = submit(client, gallery="birds")
    again = client.post("/api/jobs", json={"kind": "train", "spec": {"gallery": "birds"}})
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    forced = client.post("/api/jobs", json={"kind": "train", "spec": {"gallery": "birds"}, "again": True})
    assert forced.status_code == 202
    assert forced.json()["id"] != first["id"]


def test_a_done_training_leads_to_its_checkpoint(client: Client) -> None:
    job = submit(client)
    start(client)
    end(client, job, "done")
    shown = client.get(f"/api/jobs/{job['id']}").json()
    assert (shown["state"], shown["progress"], shown["metrics"]) == ("done", 1.0, {"loss": 2.0})
    assert shown["links"]["checkpoint"] == "/api/checkpoints/net"


def test_a_failed_job_tells_why_and_how_far_it_was(client: Client) -> None:
    job = submit(client)
    start(client)
    end(client, job, "failed")
    shown = client.get(f"/api/jobs/{job['id']}").json()
    assert shown["error"] == {"code": "diverged", "message": "The loss is no number."}
    assert (shown["progress"], shown["step"], shown["total"], shown["unit"]) == (0.25, 5, 20, "steps")
    assert client.post(f"/api/jobs/{job['id']}/resume").json()["state"] == "queued"


def test_cancel_is_200_where_it_waits_202_where_it_runs_409_where_it_has_ended(client: Client) -> None:
    job = submit(client)
    path = f"/api/jobs/{job['id']}/cancel"
    waiting = client.post(path)
    assert (waiting.status_code, waiting.json()["state"]) == (200, "cancelled")
    ended = client.post(path)
    assert (ended.status_code, error_of(ended)) == (409, "job_ended")
    assert client.post(f"/api/jobs/{job['id']}/resume").status_code == 202
    start(client)
    running = client.post(path)
    assert (running.status_code, running.json()["state"]) == (202, "cancelling")


def test_only_what_failed_or_was_cancelled_is_resumed(client: Client) -> None:
    job = submit(client)
    refused = client.post(f"/api/jobs/{job['id']}/resume")
    assert (refused.status_code, error_of(refused)) == (409, "job_not_resumable")


@pytest.mark.parametrize("name", ["99", "0", "-1", "x", "99999999999999999999999", "%C2%B2"])
@pytest.mark.parametrize("rest", ["", "/metrics", "/log", "/events"])
def test_a_job_that_is_not_there_is_404(client: Client, name: str, rest: str) -> None:
    answer = client.get(f"/api/jobs/{name}{rest}")
    assert (answer.status_code, error_of(answer)) == (404, "unknown_job")


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "paint", "spec": {}},
        {"kind": "train"},
        {"kind": "train", "spec": {}, "more": 1},
        {"kind": "train", "spec": []},
        {"kind": "train", "spec": {"bad": 1}},
        {"kind": "train", "spec": {}, "again": "yes"},
        {"spec": {}},
        [],
    ],
)
def test_a_submission_that_makes_no_sense_is_422(client: Client, body: Any) -> None:
    answer = client.post("/api/jobs", json=body)
    assert answer.status_code == 422
    error_of(answer)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_422(client: Client, text: str) -> None:
    body = '{"kind": "train", "spec": {"lr": ' + text + "}}"
    answer = client.post("/api/jobs", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_what_is_no_json_is_400(client: Client) -> None:
    answer = client.post("/api/jobs", content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == 400
    error_of(answer)


def test_the_list_is_filtered_and_paged(client: Client) -> None:
    ids = [submit(client, n=n)["id"] for n in range(3)]
    client.post(f"/api/jobs/{ids[1]}/cancel")
    page = client.get("/api/jobs?limit=2").json()
    assert [job["id"] for job in page["jobs"]] == [ids[2], ids[1]]
    rest = client.get(f"/api/jobs?limit=2&cursor={page['next']}").json()
    assert ([job["id"] for job in rest["jobs"]], rest["next"]) == ([ids[0]], None)
    found = client.get("/api/jobs?state=cancelled&state=running").json()
    assert [job["id"] for job in found["jobs"]] == [ids[1]]
    for query in ("limit=0", "limit=501", "cursor=x", "state=asleep"):
        assert client.get(f"/api/jobs?{query}").status_code == 422


def test_metrics_are_series_of_step_and_value(client: Client) -> None:
    job = submit(client)
    with EventWriter(job_folder(store_of(client).workspace, int(job["id"])) / EVENTS) as events:
        for step in range(1, 101):
            events.write("progress", {"step": step, "metrics": {"loss": 1 / step, "lr": 0.1}})
    series = client.get(f"/api/jobs/{job['id']}/metrics?name=loss").json()["series"]
    assert [one["name"] for one in series] == ["loss"]
    assert series[0]["points"][0] == [1, 1.0]
    assert len(series[0]["points"]) == 100
    thinned = client.get(f"/api/jobs/{job['id']}/metrics?points=10").json()["series"]
    assert {one["name"]: len(one["points"]) <= 12 for one in thinned} == {"loss": True, "lr": True}
    assert client.get(f"/api/jobs/{job['id']}/metrics?points=1").status_code == 422


def test_the_log_is_plain_text(client: Client) -> None:
    job = submit(client)
    (job_folder(store_of(client).workspace, int(job["id"])) / "log.txt").write_text("<b>loading</b>\n")
    answer = client.get(f"/api/jobs/{job['id']}/log")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == "<b>loading</b>\n"


def test_links_carry_the_base_path(client_for: Any, settings: Settings) -> None:
    client = client_for(settings.model_copy(update={"base_path": "/tessera"}))
    services = client.app.state.services
    client.app.state.services = replace(services, jobs=JobsService(services.store, services.settings, KINDS))
    job = client.post("/tessera/api/jobs", json={"kind": "train", "spec": {}}).json()
    assert all(link.startswith("/tessera/") for link in job["links"].values())


def test_events_come_over_the_wire_and_go_on_where_they_were_left(web: httpx.Client) -> None:
    job = web.get("/api/jobs").json()["jobs"][-1]
    with web.stream("GET", job["links"]["events"]) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        messages = [message for message in answer.read().decode().split("\n\n") if message.startswith("id: ")]
    assert messages
    for message in messages:
        number, name, data = message.split("\n")
        assert json.loads(data.removeprefix("data: "))["type"] == name.removeprefix("event: ")
        assert int(number.removeprefix("id: ")) > 0
    first = messages[0].split("\n")[0].removeprefix("id: ")
    with web.stream("GET", job["links"]["events"], headers={"Last-Event-ID": first}) as answer:
        rest = [message for message in answer.read().decode().split("\n\n") if message.startswith("id: ")]
    assert rest == messages[1:]
