"""A network that was not trained to count: everything but counting works, and counting says why it does not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.jobs import registration
from app.jobs.spec import Output
from app.settings import Settings
from tests.api.asking import code, imported, new, write_pets
from tests.conftest import Client, application
from tests.making import run_jobs

CHECKPOINT = "checkpoints/plain"
SCAN = "plain-on-pets"


def write_checkpoint(folder: Path) -> None:
    """The convolutions of an AlexNet with random weights."""
    from models.card import Card, Preprocess, write_card
    from models.checkpoints import storage as checkpoints
    from models.encoders import ENCODERS, layers
    from models.encoders.initialisation import he
    from models.seeds import generator

    folder.mkdir(parents=True)
    encoder = ENCODERS["alexnet-torchvision"]()
    he(encoder, generator(0))
    how = Preprocess(224, 256, 224, 224, "mean_std", (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
    sha256 = checkpoints.save_weights(folder, encoder, None, dtype="fp16")
    card = Card("plain", "alexnet-torchvision", {}, None, None, None, {}, layers(encoder), how, sha256, "fp16")
    write_card(folder, card)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a workspace with twelve photos, a checkpoint without a head, and its scan."""
    root = tmp_path_factory.mktemp("plain")
    client = Client(application(Settings(workspace=root / "workspace", roots=(root,))))
    services = client.app.state.services
    gallery = imported(client, new("pets", write_pets(root / "pets")))
    folder = services.store.path(CHECKPOINT)
    write_checkpoint(folder)
    register = registration.checkpoint(folder, Output("checkpoint", "plain", CHECKPOINT), 1, {})
    with services.store.write() as session:
        register(session)
    services.jobs.submit("scan", {"checkpoint": "plain", "gallery": gallery})
    run_jobs(services)
    yield client
    services.store.close()


def test_counting_is_409_and_not_offered(plain: Client) -> None:
    body = {"gallery": "pets", "row": 0}
    where = "/api/checkpoints/plain/count"
    assert code(plain.post(where, json=body)) == (409, "no_counts")
    assert code(plain.get(where, params=body)) == code(plain.get(f"{where}/curve", params=body)) == (409, "no_counts")
    spec = {"checkpoint": "plain", "gallery": "pets", "residual": True}
    assert code(plain.post("/api/jobs", json={"kind": "scan", "spec": spec})) == (422, "no_counts")
    card = plain.get("/api/checkpoints/plain").json()
    assert "count" not in card["links"] and card["task"] is None
    assert [layer["name"] for layer in card["layers"]] == ["conv1", "conv2", "conv3", "conv4", "conv5"]


def test_search_goes_by_the_last_convolution(plain: Client) -> None:
    answer = plain.get(f"/api/scans/{SCAN}/search", params={"row": 0}).json()
    assert (answer["layer"], len(answer["neighbors"])) == ("conv5", 11)


def test_the_scan_has_neither_counts_nor_residuals(plain: Client) -> None:
    scan = plain.get(f"/api/scans/{SCAN}").json()
    assert (scan["counts"], scan["magnitude"], scan["residual"], scan["count_path"]) == (None, None, None, None)


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/checkpoints", "/checkpoints/plain", "/checkpoints/plain/filters", "/scans", f"/scans/{SCAN}"),
        *(f"/scans/{SCAN}/units/conv1", f"/scans/{SCAN}/units/conv5/3", f"/scans/{SCAN}/search?row=1"),
    ],
)
def test_its_pages_are_there_and_lead_to_no_counting(plain: Client, path: str) -> None:
    answer = plain.get(path, headers={"accept": "text/html"})
    assert answer.status_code == 200 and answer.text.count("<h1") == 1
    assert "/checkpoints/plain/count" not in answer.text


def test_the_counting_page_says_why_there_is_none(plain: Client) -> None:
    answer = plain.get("/checkpoints/plain/count", headers={"accept": "text/html"})
    assert answer.status_code == 409 and "no counting head" in answer.text
