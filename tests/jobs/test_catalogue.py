"""Each kind of job is one value: whatever is entered can be submitted, runs and is listed."""

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any, get_args, get_type_hints

import pytest

from app.jobs import registration
from app.jobs.catalogue import KINDS, Artefact, InPlace, Kind, Table, artefact
from app.jobs.context import JobContext
from app.jobs.spec import Output
from app.jobs.supervision import LANES
from app.services.jobs.service import JobsService, submission
from app.services.jobs.submissions.prepared import PreparedJob
from app.settings import Settings
from app.store.engine import Store
from tests.conftest import Client
from tests.making import run_jobs

TOY = Kind(
    name="toy",
    module="tests.jobs.toy",
    submission="tests.jobs.toy",
    lane="light",
    title=lambda spec: f"A toy in {spec.get('colour')}",
    makes=Artefact(name="toy", registers=InPlace(says="colour"), page=lambda output: f"/checkpoints?toy={output.slug}"),
)


@pytest.fixture
def toy(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """The client of an application that knows one kind of job more."""
    monkeypatch.setitem(KINDS, TOY.name, TOY)
    services = client.app.state.services
    client.app.state.services = replace(services, jobs=JobsService(services.store, services.settings))
    yield client


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_can_run_and_be_submitted_and_has_a_lane_a_title_and_a_page(kind: Kind) -> None:
    assert KINDS[kind.name] is kind
    assert get_type_hints(import_module(kind.module).run) == {"job": JobContext, "return": type(None)}
    hints = get_type_hints(submission(kind))
    assert list(hints.values()) == [Store, Settings, dict[str, Any], PreparedJob]
    assert kind.lane in LANES
    assert kind.title({"task": "counting"})
    assert kind.makes.page(Output(kind.makes.name, "net", "probes/photos/abc/net")).startswith("/")
    assert artefact(kind.makes.name) is kind.makes, "two kinds make different things of the same name"
    assert registration.reader(kind.makes.name) is not None


def test_every_table_has_something_that_fills_it() -> None:
    assert set(registration.TABLES) == set(get_args(Table))


def test_a_kind_that_is_entered_can_be_submitted_runs_and_is_listed(toy: Client) -> None:
    services = toy.app.state.services
    answer = toy.post("/api/jobs", json={"kind": "toy", "spec": {"colour": "red"}})
    assert answer.status_code == 202
    number = answer.json()["id"]
    assert "toy" not in answer.json()["links"], "it is not there yet"
    run_jobs(services)
    assert (services.store.workspace / "toys" / "yo-yo.json").exists()
    job = toy.get(f"/api/jobs/{number}").json()
    assert (job["state"], job["links"]["toy"]) == ("done", "/api/checkpoints?toy=yo-yo")
    assert [item["id"] for item in toy.get("/api/jobs?kind=toy").json()["jobs"]] == [number]
    page = toy.get("/jobs", headers={"accept": "text/html"}).text
    assert "A toy in red" in page
    assert 'href="/checkpoints?toy=yo-yo"' in toy.get(f"/jobs/{number}", headers={"accept": "text/html"}).text


def test_a_job_of_a_kind_that_is_gone_is_still_listed(toy: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    number = toy.post("/api/jobs", json={"kind": "toy", "spec": {"colour": "red"}}).json()["id"]
    monkeypatch.delitem(KINDS, TOY.name)
    assert f"toy {number}" in toy.get("/jobs", headers={"accept": "text/html"}).text
