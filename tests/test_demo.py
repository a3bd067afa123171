"""What `make demo` submits, and in which order it fills the first screen."""

from app.console.demo import COUNTABLES, PHOTOS, prepare
from app.services.services import Services
from app.settings import Settings
from tests.conftest import Client


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


def test_the_first_screen_waits_for_the_scenes(settings: Settings, client: Client) -> None:
    prepare(settings)
    panels = client.get("/api").json()["panels"]
    assert panels["gallery"] == COUNTABLES and panels["scan"] is None
    assert panels["count"] == {"waiting": True, "reason": None}
    assert "Import of countables" in client.get("/").text
