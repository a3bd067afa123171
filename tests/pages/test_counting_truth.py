"""The counting bench where the truth is known: the oracle, the network and edge energy on hand-made squares."""

import io
import re
import shutil
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.services.assembly import build_services
from app.settings import Settings
from tests.conftest import Client, Server, application
from tests.making import Workspace, run_jobs
from tests.scenes import GALLERY, squares, write_gallery

BALLS = list(squares())
FOUR = next(row for row, scene in enumerate(BALLS) if scene.number == 4)


@pytest.fixture(scope="module")
def bench(
    server: Server,
    workspace: Workspace,
    predictor: None,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> Client:
    """The used workspace with the gallery of squares beside the photos, not scanned yet."""
    folder = tmp_path_factory.mktemp("truth") / "copy"
    shutil.copytree(workspace.path, folder)
    settings = Settings(workspace=folder)
    app = application(settings)
    app.state.services.store.close()
    app.state.services = build_services(settings, predictor=server.app.state.predictor)
    write_gallery(app.state.services)
    return Client(app)


def counted(bench: Client, workspace: Workspace, row: int, **params: object) -> dict[str, Any]:
    answer = bench.get(
        f"/api/checkpoints/{workspace.checkpoint}/count", params={"gallery": GALLERY, "row": row, **params}
    )
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def page(bench: Client, workspace: Workspace, row: int, gallery: str = GALLERY) -> str:
    answer = bench.get(f"/checkpoints/{workspace.checkpoint}/count", params={"gallery": gallery, "row": row})
    assert answer.status_code == 200
    return answer.text


def ranks(values: np.ndarray) -> np.ndarray:
    """How many values are smaller, equal ones half."""
    return np.asarray((values[:, None] > values).sum(axis=1) + (values[:, None] == values).sum(axis=1) / 2)


def test_the_oracle_counts_what_was_drawn_and_its_residual_is_nothing(bench: Client, workspace: Workspace) -> None:
    for row in (FOUR, 0, 1, 2):
        number = BALLS[row].number
        truth = counted(bench, workspace, row)["truth"]
        oracle = truth["counters"][0]
        assert (oracle["name"], oracle["whole"], oracle["residual"]) == ("oracle", number, 0)
        # the squares fill the tiles in this order: top left, bottom right, top right, bottom left
        assert oracle["tiles"] == [number > 0, number > 2, number > 3, number > 1]
        assert truth["kinds"] == ({"ball": {"whole": number, "tiles": oracle["tiles"]}} if number else {})


def test_what_a_tile_line_cuts_is_shared_and_still_adds_up(bench: Client, workspace: Workspace) -> None:
    truth = counted(bench, workspace, FOUR, box="0,0,32,32")["truth"]
    oracle = truth["counters"][0]
    assert oracle["whole"] == 1 and all(0 < tile < 1 for tile in oracle["tiles"])
    assert oracle["residual"] == 0


def test_edge_energy_adds_up_as_well_and_is_the_sum_of_gradients(bench: Client, workspace: Workspace) -> None:
    stored = bench.get(f"/api/galleries/{GALLERY}/images/{FOUR}/image").content
    gray = np.asarray(Image.open(io.BytesIO(stored)).convert("L"), dtype=np.float64) / 255
    across, down = np.zeros_like(gray), np.zeros_like(gray)
    across[:, :-1], down[:-1] = np.diff(gray, axis=1), np.diff(gray, axis=0)
    size = np.hypot(across, down)
    edges = counted(bench, workspace, FOUR)["truth"]["counters"][2]
    assert edges["whole"] == pytest.approx(size.sum(), rel=1e-4)
    assert edges["tiles"][0] == pytest.approx(size[:32, :32].sum(), rel=1e-4)
    assert edges["ratio"] == pytest.approx(1, abs=1e-6) and edges["residual"] == pytest.approx(0, abs=1e-6)


def test_the_networks_row_is_the_equation_of_the_page(bench: Client, workspace: Workspace) -> None:
    body = counted(bench, workspace, FOUR)
    network = body["truth"]["counters"][1]
    assert network["whole"] == pytest.approx(body["summary"]["whole"])
    assert network["sum"] == pytest.approx(body["summary"]["sum"], abs=1e-5)
    assert network["tiles"] == pytest.approx([sum(tile) for tile in body["tiles"]], abs=1e-5)


def test_photos_have_no_truth_and_their_page_no_table(bench: Client, workspace: Workspace) -> None:
    assert "Against the truth" not in page(bench, workspace, 0, workspace.gallery)


@pytest.mark.torch
def test_without_a_scan_the_page_offers_one_and_with_it_says_who_follows_the_number(
    bench: Client, workspace: Workspace
) -> None:
    before = page(bench, workspace, FOUR)
    assert f'<input type="hidden" name="gallery" value="{GALLERY}">' in before and f"Scan {GALLERY}" in before
    truth = counted(bench, workspace, FOUR)["truth"]
    assert truth["scan"] is None and [row["adds"] for row in truth["counters"]] == [None] * 3

    services = bench.app.state.services
    job, _ = services.jobs.submit("scan", {"checkpoint": workspace.checkpoint, "gallery": GALLERY})
    run_jobs(services)
    scan = services.scans.open(job.output.slug).reader
    truth = counted(bench, workspace, FOUR)["truth"]
    assert truth["scan"] == job.output.slug and truth["images"] == len(BALLS)
    oracle, network, edges = truth["counters"]
    assert oracle["adds"] == oracle["follows"] == edges["adds"] == 1
    whole, total = (np.float64(side) for side in (scan.equation.whole, scan.equation.total))
    left = np.square(whole - total).sum() / np.square(whole - whole.mean(axis=0)).sum()
    number = [scene.number for scene in BALLS]
    assert network["adds"] == pytest.approx(1 - left)
    assert network["follows"] == pytest.approx(np.corrcoef(ranks(whole.sum(axis=1)), ranks(np.array(number)))[0, 1])
    assert 0 < edges["follows"] < 1
    after = page(bench, workspace, FOUR)
    assert f"Scan {GALLERY}" not in after and "Against the truth" in after
    assert re.search(rf"over {len(BALLS)} scenes it follows their number", after)
