"""Scans of galleries that grow or change, and submissions that find the scan there is."""

from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from app.failures import Conflict
from app.services.jobs.submissions.import_images import FolderFrom, NewGallery
from app.services.services import Services
from app.settings import Settings
from app.store.tables import CheckpointRow, GalleryRow
from tests.conftest import Client, Clients, Server
from tests.making import run_jobs, write_photos

pytestmark = pytest.mark.torch

SCAN = {"checkpoint": "counting-photos", "gallery": "few", "layers": ["conv1", "conv5"]}


@pytest.fixture
def client(settings: Settings, client_for: Clients, server: Server, tmp_path: Path) -> Client:
    """A workspace with a checkpoint, a gallery of six photos, and its scan."""
    client = client_for(settings)
    services: Services = client.app.state.services
    services.checkpoints.register_folder(server.services.checkpoints.get(server.workspace.checkpoint).folder)
    source = FolderFrom(kind="folder", path=str(write_photos(tmp_path / "one", 6)))
    services.galleries.create(NewGallery(name="few", source=source))
    services.jobs.submit("scan", {**SCAN, "checkpoint": checkpoint(services)})
    run_jobs(services)
    return client


def checkpoint(services: Services) -> str:
    return services.checkpoints.list().checkpoints[0].slug


def services_of(client: Client) -> Services:
    services: Services = client.app.state.services
    return services


def only_scan(client: Client) -> str:
    (scan,) = services_of(client).scans.list().scans
    return scan.slug


def grow(client: Client, tmp_path: Path) -> None:
    source = FolderFrom(kind="folder", path=str(write_photos(tmp_path / "two", 10)))
    services_of(client).galleries.add("few", source)
    run_jobs(services_of(client))


def test_a_scan_submitted_before_its_gallery_is_filled_is_found_again(client: Client) -> None:
    services = services_of(client)
    job, created = services.jobs.submit("scan", {**SCAN, "checkpoint": checkpoint(services)})
    assert not created and job.state == "done"


def test_a_scan_of_a_gallery_that_has_grown_says_how_much_it_covers_and_can_be_extended(
    client: Client, tmp_path: Path
) -> None:
    services, scan = services_of(client), only_scan(client)
    grow(client, tmp_path)
    record = services.scans.open(scan).record
    assert not record.complete and record.rows == 6 < record.gallery_rows
    page: httpx.Response = client.get(f"/scans/{scan}")
    assert page.status_code == 200 and f"covers 6 of {record.gallery_rows} rows" in page.text
    answer = client.post(f"/scans/{scan}/extend", headers={"sec-fetch-site": "same-origin"})
    assert answer.status_code == 303
    run_jobs(services)
    assert only_scan(client) == scan and services.scans.open(scan).record.complete
    assert services.scans.open(scan).reader.units("conv1").images == record.gallery_rows
    job, created = services.jobs.submit("scan", {**SCAN, "checkpoint": checkpoint(services)})
    assert not created and job.state == "done"


def test_a_scan_of_other_images_is_refused(client: Client) -> None:
    services, scan = services_of(client), only_scan(client)
    with services.store.write() as session:
        row = session.scalars(select(GalleryRow)).one()
        row.shards = [{**row.shards[0], "sha256": "0" * 64}]
    with pytest.raises(Conflict, match="Scan it again"):
        services.scans.open(scan)
    assert client.get(f"/api/scans/{scan}/units/conv1").status_code == 409


def test_a_scan_by_other_weights_is_refused(client: Client) -> None:
    services, scan = services_of(client), only_scan(client)
    with services.store.write() as session:
        session.scalars(select(CheckpointRow)).one().sha256 = "0" * 64
    with pytest.raises(Conflict, match="weights"):
        services.scans.open(scan)


def test_a_damaged_file_is_told_without_its_place(client: Client) -> None:
    services, scan = services_of(client), only_scan(client)
    (services.scans.open(scan).record.folder / "conv1" / "units.npz").write_bytes(b"")
    answer = client.get(f"/api/scans/{scan}/units/conv1")
    assert answer.status_code == 409 and answer.json()["error"]["code"] == "scan_unreadable"
    assert str(services.store.workspace) not in answer.text


def test_other_layers_make_another_scan(client: Client) -> None:
    services = services_of(client)
    job, created = services.jobs.submit(
        "scan", {**SCAN, "checkpoint": checkpoint(services), "layers": ["conv1"], "residual": False}
    )
    assert created and job.output is not None and job.output.slug == f"{only_scan(client)}-2"


def test_layers_are_filled_in_forward_order(client: Client) -> None:
    services = services_of(client)
    job, created = services.jobs.submit(
        "scan", {**SCAN, "checkpoint": checkpoint(services), "layers": ["conv5", "conv1", "conv5"]}
    )
    assert not created and job.spec["layers"] == ["conv1", "conv5"] and job.spec["residual"] is False
