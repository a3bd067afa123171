"""An evaluation, run as any job: what it looks at, what it measures, and where it leaves it."""

from pathlib import Path
from typing import Any

import pytest

from app.failures import BadQuery, NotFound
from app.services.services import Services
from models.evaluations import files as evaluations
from models.evaluations.files import Evaluation
from models.evaluations.rows import choose, held_out_rows
from models.galleries.packs import Pack
from models.training.batches import split_rows
from tests.conftest import Server
from tests.making import Workspace, run_jobs

SPEC = {"images": 24, "database": 20, "queries": 16}


@pytest.fixture(scope="module")
def services(server: Server) -> Services:
    found: Services = server.services
    return found


@pytest.fixture(scope="module")
def evaluation(services: Services, workspace: Workspace) -> Evaluation:
    """Random init on the photos, which have labels and no split."""
    job, created = services.jobs.submit("evaluate", {"checkpoint": "random-init", "gallery": workspace.gallery, **SPEC})
    assert created and job.output is not None
    run_jobs(services)
    assert services.jobs.get(job.id).state == "done"
    found = evaluations.read(workspace.path / job.output.path)
    assert found is not None
    return found


def test_it_says_what_was_measured_on_what(evaluation: Evaluation, services: Services, workspace: Workspace) -> None:
    assert (evaluation.checkpoint, evaluation.gallery) == ("random-init", workspace.gallery)
    assert evaluation.weights_sha256 == services.checkpoints.get("random-init").sha256
    assert evaluation.gallery_fingerprint == services.galleries.pack(workspace.gallery).fingerprint
    assert (evaluation.part, evaluation.seen) == ("all images", 0)
    assert evaluation.too_small > 0  # some photos are smaller than its crop of 144 px
    assert evaluation.rows <= 24


def test_every_measure_stands_beside_its_controls(evaluation: Evaluation) -> None:
    measures = evaluation.measures
    for column in ("network", "random_init", "averager", "constant"):
        assert measures[column]["additivity_ratio"]["n"] == evaluation.rows
    assert measures["averager"]["additivity_ratio"]["value"] == pytest.approx(0.25)
    for layer in ("conv1", "conv5", "counts"):
        for column in ("network", "random_init", "raw_pixels"):
            assert measures[column][f"knn20_{layer}"]["n"] == 16, (column, layer)
        low, high = measures["network"][f"knn20_{layer}_gain"]["interval"]
        assert low <= measures["network"][f"knn20_{layer}_gain"]["value"] <= high


def test_the_same_again_is_the_same_job(services: Services, evaluation: Evaluation) -> None:
    spec = {"checkpoint": evaluation.checkpoint, "gallery": evaluation.gallery, **SPEC}
    assert services.jobs.submit("evaluate", spec)[1] is False


def test_images_that_were_trained_on_are_left_out(services: Services, workspace: Workspace) -> None:
    record = services.checkpoints.get(workspace.checkpoint)
    card = services.checkpoints.read_card(record)
    pack = services.galleries.pack(workspace.gallery)
    split = split_rows(pack, card.preprocess.crop, card.config["held_out"])
    chosen = choose(pack, card, record.folder, 512)
    assert held_out_rows(pack, card) == list(split.held_out)
    assert set(chosen.rows.tolist()) == set(split.held_out)
    assert chosen.seen == len(split.train)


def test_a_sample_is_spread_evenly(services: Services, workspace: Workspace) -> None:
    record = services.checkpoints.get("random-init")
    with Pack.open(workspace.path / "galleries" / workspace.gallery) as pack:
        every = choose(pack, services.checkpoints.read_card(record), record.folder, 1000).rows
        some = choose(pack, services.checkpoints.read_card(record), record.folder, 5).rows
    assert some.tolist() == [every[i * len(every) // 5] for i in range(5)]


@pytest.mark.parametrize("change", [{"images": 1}, {"queries": "many"}, {"unknown": 1}])
def test_a_spec_that_cannot_be_is_refused(services: Services, workspace: Workspace, change: dict[str, Any]) -> None:
    spec = {"checkpoint": workspace.checkpoint, "gallery": workspace.gallery, **change}
    with pytest.raises(BadQuery):
        services.jobs.submit("evaluate", spec)


def test_what_is_not_there_is_not_found(services: Services, workspace: Workspace) -> None:
    with pytest.raises(NotFound):
        services.jobs.submit("evaluate", {"checkpoint": "nothing", "gallery": workspace.gallery})


def test_a_file_that_cannot_be_read_is_no_evaluation(tmp_path: Path) -> None:
    path = tmp_path / "evaluations" / "photos.json"
    path.parent.mkdir()
    for text in ("{", "[]", '{"format": 2}', '{"format": 1, "checkpoint": "x"}'):
        path.write_text(text)
        assert evaluations.read(path) is None
    assert list(evaluations.read_all(tmp_path)) == []
