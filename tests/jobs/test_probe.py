"""A probe, run as any job: what it refuses, what it measures, and where it leaves it."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.failures import BadQuery, NotFound
from app.services.checkpoints.bundled import ensure_random_init
from app.services.jobs.submissions.import_images import FolderFrom, NewGallery
from app.services.services import Services
from models.probes import results as probe_results
from models.probes.results import Probe
from tests.api.asking import write_pets
from tests.conftest import Client, Server
from tests.making import PROBE, Workspace, probe_both, run_jobs


@pytest.fixture(scope="module")
def services(server: Server) -> Services:
    found: Services = server.services
    return found


@pytest.fixture(scope="module")
def place(services: Services, workspace: Workspace) -> Path:
    return probe_both(services, workspace)


def read(place: Path, row: str) -> Probe:
    found = probe_results.read(place / row)
    assert found is not None
    return found


@pytest.mark.torch
def test_every_control_is_a_row_of_the_same_table(place: Path, workspace: Workspace) -> None:
    found = read(place, workspace.checkpoint)
    names = {path.name for path in place.iterdir()}
    twins = {name for name in names if name.startswith("_random-")}
    assert names == {workspace.checkpoint, "random-init", "_pixels", "_colours", "_hog", *twins} and len(twins) == 1
    assert set(found.controls) == names - {workspace.checkpoint, "random-init"}
    for name in names:
        row = read(place, name)
        assert (row.stamp, row.side, row.tested) == (found.stamp, 64, found.tested), "the same images, the same crops"
        assert row.protocol == found.protocol


@pytest.mark.torch
def test_every_score_has_its_images_its_interval_and_its_spread(place: Path, workspace: Workspace) -> None:
    found = read(place, workspace.checkpoint)
    assert [layer.name for layer in found.layers] == ["conv1", "counts"]
    for layer in found.layers:
        for score in (layer.linear, layer.knn):
            assert 0 <= score.low <= score.value <= score.high <= 1 and score.n == found.tested
        assert len(layer.linear.seeds) == 3 and layer.linear.spread is not None
        assert layer.knn.spread is None, "there is no chance in neighbours"
    assert found.before == found.after != ""
    assert found.weights_sha256 and found.seen is not None


@pytest.mark.torch
def test_random_init_is_its_own_control(place: Path) -> None:
    assert set(read(place, "random-init").controls) == {"_pixels", "_colours", "_hog"}


@pytest.mark.torch
def test_the_same_again_is_the_same_job_and_other_layers_are_another(
    services: Services, workspace: Workspace, place: Path
) -> None:
    spec = {"checkpoint": "random-init", "gallery": workspace.gallery, **PROBE}
    job, created = services.jobs.submit("probe", spec)
    assert not created and job.output is not None
    assert (workspace.path / job.output.path).parent == place


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"layers": ["conv9"]}, "unknown_layer"),
        ({"seeds": [0, 1]}, "invalid_value"),
        ({"seeds": [0, 1, 1]}, "invalid_value"),
        ({"steps": 0}, "invalid_value"),
        ({"side": 8}, "invalid_value"),
        ({"unknown": 1}, "invalid_value"),
        ({"k": 500}, "too_few_images"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(
    services: Services, workspace: Workspace, change: dict[str, Any], code: str
) -> None:
    spec = {"checkpoint": workspace.checkpoint, "gallery": workspace.gallery, **PROBE, **change}
    with pytest.raises(BadQuery) as error:
        services.jobs.submit("probe", spec)
    assert error.value.code == code


def test_what_is_not_there_is_not_found(services: Services, workspace: Workspace) -> None:
    with pytest.raises(NotFound):
        services.jobs.submit("probe", {"checkpoint": "nothing", "gallery": workspace.gallery})


def test_a_gallery_that_cannot_teach_is_refused_before_anything_is_queued(client: Client, tmp_path: Path) -> None:
    services: Services = client.app.state.services
    ensure_random_init(services.checkpoints)
    pets = write_pets(tmp_path / "pets")
    for name, folder, labels in (
        ("none", pets, "none"),
        ("one", pets / "train" / "cat", "none"),
        ("few", pets, "auto"),
    ):
        source = FolderFrom(kind="folder", path=str(folder), labels=labels)  # type: ignore[arg-type]
        services.galleries.create(NewGallery(name=name, source=source))
    run_jobs(services)
    before = len(services.jobs.list().jobs)
    for gallery, code in (("none", "unlabelled"), ("few", "too_few_images")):
        answer = client.post(
            "/api/jobs", json={"kind": "probe", "spec": {"checkpoint": "random-init", "gallery": gallery}}
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)
    assert len(services.jobs.list().jobs) == before


def test_a_file_that_cannot_be_read_is_no_result(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"format": 2}', '{"format": 1, "row": "x"}'):
        (tmp_path / "probe.json").write_text(text)
        assert probe_results.read(tmp_path) is None


@pytest.mark.torch
def test_a_result_survives_its_file(place: Path, workspace: Workspace) -> None:
    found = read(place, workspace.checkpoint)
    raw = json.loads((place / workspace.checkpoint / "probe.json").read_text())
    assert raw["layers"][0]["linear"]["seeds"] == list(found.layers[0].linear.seeds)
    outcomes = probe_results.read_outcomes(place / workspace.checkpoint)
    assert outcomes["linear/conv1"].mean() == pytest.approx(found.layers[0].linear.value)
