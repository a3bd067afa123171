"""What `make demo` submits, and in which order it fills the first screen."""

import pytest

from app.console import demo
from app.console.demo import COUNTABLES, PHOTOS, prepare
from app.jobs.context import JobContext
from app.jobs.folders import job_folder
from app.jobs.kinds import import_images
from app.services.services import Services
from app.settings import Settings
from models.galleries.packs import Pack
from tests.conftest import Client

pytestmark = pytest.mark.jobs

FIRST = 3


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three scenes to begin with, whatever the machine is busy with."""
    monkeypatch.setattr(import_images, "FIRST_ROWS", FIRST)
    monkeypatch.setattr(demo, "PATIENCE", 60.0)


def pairs(services: Services) -> list[tuple[str, str]]:
    jobs = services.jobs.list(kinds=("scan",), limit=50).jobs
    return [(job.spec["checkpoint"], job.spec["gallery"]) for job in reversed(jobs)]


def test_the_scenes_come_first_and_their_start_is_scanned_before_the_rest(settings: Settings, client: Client) -> None:
    prepare(settings)
    services = client.app.state.services
    imports = [job.spec["name"] for job in reversed(services.jobs.list(kinds=("import",)).jobs)]
    scans = list(reversed(services.jobs.list(kinds=("scan",), limit=50).jobs))
    first, rest = scans[0], scans[1]
    assert imports == [COUNTABLES, PHOTOS]
    assert first.spec["start"] is True and services.jobs.needs(first.id) == []
    assert first.spec["checkpoint"] == "counting-countables"  # the network that learned from such scenes
    assert rest.spec["gallery"] == COUNTABLES and first.id in services.jobs.needs(rest.id)
    assert rest.output == first.output  # the whole scan goes on in the same place
    assert first.output is not None and first.output.slug == f"{first.spec['checkpoint']}-on-{COUNTABLES}"


def test_every_network_meets_both_galleries_the_untrained_last(settings: Settings, client: Client) -> None:
    prepare(settings)
    services = client.app.state.services
    networks = {record.slug for record in services.checkpoints.list().checkpoints}
    assert "random-init" in networks
    assert set(pairs(services)) == {(network, gallery) for network in networks for gallery in (COUNTABLES, PHOTOS)}
    assert pairs(services)[0][0] != "random-init" and pairs(services)[-1][0] == "random-init"


def test_a_second_start_submits_nothing_twice(settings: Settings, client: Client) -> None:
    prepare(settings)
    before = client.app.state.services.jobs.counts()
    prepare(settings)
    assert client.app.state.services.jobs.counts() == before


def test_the_server_starts_with_the_first_scenes_and_the_job_draws_the_rest(settings: Settings, client: Client) -> None:
    prepare(settings)
    panels = client.get("/api").json()["panels"]
    assert panels["gallery"] == COUNTABLES and panels["scan"] is None
    assert panels["image"]["row"] in range(FIRST)
    assert 'data-line="x"' in client.get("/").text  # a scene with its truth and the lines to be dragged
    services = client.app.state.services
    job = services.jobs.list(kinds=("import",)).jobs[-1]
    assert (services.galleries.get(COUNTABLES).rows, job.state) == (FIRST, "queued")
    kept = services.galleries.pack(COUNTABLES).sha256s()
    with pytest.MonkeyPatch.context() as patch:  # the job itself, of which a few scenes are enough here
        patch.setattr(import_images, "FIRST_ROWS", FIRST + 2)
        patch.setattr(import_images, "SHARD_ROWS", 2)
        import_images.begin(JobContext.open(job_folder(settings.workspace, job.id)))
    with Pack.open(services.store.path(job.output.path)) as pack:
        assert [shard.rows for shard in pack.shards] == [FIRST, 2]
        assert pack.sha256s()[:FIRST] == kept


def test_a_machine_too_busy_for_them_starts_without(
    settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "PATIENCE", 0.0)
    monkeypatch.setattr(import_images, "FIRST_ROWS", 1000)
    prepare(settings)
    panels = client.get("/api").json()["panels"]
    assert panels["gallery"] == COUNTABLES and panels["count"] == {"waiting": True, "reason": None}
    assert client.app.state.services.galleries.get(COUNTABLES).rows == 0
    assert "Import of countables" in client.get("/").text
