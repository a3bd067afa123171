"""Evaluations as services read them: whose they are, whether their gallery is still the same, and the table of all."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.failures import NotFound
from app.services.checkpoints.measures import gate_table, kernel_errors, measure_table
from app.services.checkpoints.service import CheckpointRecord
from app.services.evaluations.comparison import ComparisonService
from app.services.evaluations.service import chosen
from app.services.services import Services
from models.card import read_card, write_card
from models.evaluations import files as evaluations
from models.evaluations.files import Evaluation
from tests.conftest import Server
from tests.making import Workspace
from tests.services.checkpoints.test_service import write_checkpoint


def cell(value: float, low: float, high: float) -> dict[str, Any]:
    return {"value": value, "interval": [low, high], "n": 40}


def measures(ratio: float) -> dict[str, Any]:
    return {
        "network": {"additivity_ratio": cell(ratio, ratio - 0.01, ratio + 0.01), "r2_adding": cell(0.4, 0.35, 0.45)},
        "averager": {"additivity_ratio": cell(0.25, 0.25, 0.25)},
    }


@pytest.fixture
def services(server: Server) -> Services:
    found: Services = server.services
    return found


@pytest.fixture
def record(services: Services, tmp_path: Path) -> Iterator[CheckpointRecord]:
    """A checkpoint with one evaluation on the gallery that is here, as it is now."""
    found = services.checkpoints.register_folder(write_checkpoint(tmp_path / "source", name="Evaluated", seed=77))
    yield found
    for path in (found.folder / evaluations.FOLDER).glob("*.json"):
        path.unlink()


def evaluation(services: Services, record: CheckpointRecord, gallery: str, ratio: float = 0.9) -> Evaluation:
    fingerprint = services.galleries.pack(gallery).fingerprint
    return Evaluation(
        record.slug,
        gallery,
        record.sha256,
        fingerprint,
        "test split",
        40,
        2,
        0,
        0,
        measures(ratio),
        "2026-01-01T00:00:00Z",
    )


def keep(record: CheckpointRecord, found: Evaluation) -> None:
    evaluations.write(evaluations.place(record.folder, found.gallery), found)


def test_an_evaluation_is_shown_beside_the_cards_own_measures(
    services: Services, record: CheckpointRecord, workspace: Workspace
) -> None:
    keep(record, evaluation(services, record, workspace.gallery))
    own, other = services.evaluations.sources(services.checkpoints.open(record.slug))
    assert (own.key, other.key, other.freshness) == ("own", workspace.gallery, "same")
    assert other.note == "test split, 40 images, 2 left out because smaller than the crop"
    assert chosen([own, other], None) is other  # it says something about two gates, the card about none
    assert chosen([own, other], "own") is own and chosen([], None) is None


@pytest.mark.parametrize(("change", "freshness"), [("gallery_fingerprint", "changed"), ("gallery", "elsewhere")])
def test_what_was_measured_on_other_images_says_so(
    services: Services, record: CheckpointRecord, workspace: Workspace, change: str, freshness: str
) -> None:
    keep(record, replace(evaluation(services, record, workspace.gallery), **{change: "another"}))
    source = services.evaluations.sources(services.checkpoints.open(record.slug))[-1]
    assert source.freshness == freshness and source.warning.startswith("measured on")


def test_an_evaluation_of_other_weights_is_not_shown(
    services: Services, record: CheckpointRecord, workspace: Workspace
) -> None:
    keep(record, replace(evaluation(services, record, workspace.gallery), weights_sha256="0" * 64))
    assert services.evaluations.of(record) == []


def test_the_table_has_every_checkpoint_and_random_init_last(
    services: Services, record: CheckpointRecord, workspace: Workspace
) -> None:
    keep(record, evaluation(services, record, workspace.gallery, 0.9))
    table = services.evaluations.tables().tested
    place = [slug for slug, _, here in table.galleries if here].index(workspace.gallery)
    rows = {row.slug: row for row in table.rows}
    assert table.rows[-1].slug == "random-init" and rows["random-init"].trained_on == "nothing"
    assert rows[workspace.checkpoint].trained_on == workspace.gallery
    tested = rows[record.slug].tested[place]
    assert tested is not None and tested.ratio is not None and tested.adding is not None
    assert (tested.ratio.value, tested.adding.value, tested.averaging, tested.unit) == (0.9, 0.4, None, None)
    assert rows[workspace.checkpoint].tested[place] is None


def test_two_are_compared_on_the_same_images_before_each_ones_own(
    services: Services, record: CheckpointRecord, workspace: Workspace, tmp_path: Path
) -> None:
    second = services.checkpoints.register_folder(write_checkpoint(tmp_path / "second", name="Second", seed=78))
    keep(record, evaluation(services, record, workspace.gallery, 0.9))
    keep(second, evaluation(services, second, workspace.gallery, 0.5))
    comparison = ComparisonService(services.checkpoints, services.evaluations)
    found = comparison.compare(record.slug, second.slug)
    assert (found.on, [key for key, _ in found.choices], found.warning) == (
        workspace.gallery,
        [workspace.gallery, "own"],
        "",
    )
    ratio = next(line for line in found.lines if line.name == "additivity_ratio")
    assert ratio.difference == pytest.approx(-0.4) and ratio.apart is True
    same = next(line for line in found.lines if line.name == "r2_adding")
    assert same.difference == 0 and same.apart is False
    assert (found.gates[0].a.verdict, found.gates[0].b.verdict) == ("pass", "fail")
    with pytest.raises(NotFound):
        comparison.compare(record.slug, second.slug, "nowhere")


def test_two_that_share_nothing_are_still_shown(services: Services, record: CheckpointRecord) -> None:
    found = ComparisonService(services.checkpoints, services.evaluations).compare(record.slug, "random-init")
    assert (found.on, found.gates, found.lines, found.choices) == (None, (), (), ())


def test_random_init_is_compared_as_the_start_of_the_other(
    services: Services, record: CheckpointRecord, workspace: Workspace
) -> None:
    own = services.checkpoints.get("random-init").folder / evaluations.FOLDER
    for path in own.glob("*.json"):  # it may have been measured itself by now, which would come first
        path.unlink()
    control = {"additivity_ratio": cell(0.3, 0.28, 0.32), "r2_adding": cell(-40, -50, -30)}
    found = evaluation(services, record, workspace.gallery, 0.9)
    keep(record, replace(found, measures={**found.measures, "random_init": control}))
    compared = ComparisonService(services.checkpoints, services.evaluations).compare(record.slug, "random-init")
    assert compared.on == workspace.gallery and compared.b.source is not None
    assert (compared.gates[0].a.verdict, compared.gates[0].b.verdict) == ("pass", "fail")
    ratio = next(line for line in compared.lines if line.name == "additivity_ratio")
    assert ratio.difference == pytest.approx(-0.6)
    assert "drawn again from its card" in compared.b.source.note


def test_the_gates_of_a_card_stand_beside_its_controls() -> None:
    table = gate_table(measures(0.9))
    assert table.columns == ("this checkpoint", "averager")
    first = table.rows[0]
    assert [cell.verdict for cell in first.cells] == ["pass", "fail"]
    assert (table.passed, table.required, table.tone) == (2, 7, "warn")
    assert gate_table({}).tone == "warn" and "Nobody knows" in gate_table({}).sentence


def test_kernels_that_training_never_drew_are_marked(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "card")
    card = replace(read_card(folder), config={"kernels": "area,linear"})
    errors = {"relative_error_by_kernel": {"area": 0.2, "lanczos": cell(0.4, 0.3, 0.5)}}
    area, lanczos = kernel_errors(card, errors)
    assert (area.seen, area.cell.value, area.cell.n) == (True, 0.2, None)
    assert (lanczos.seen, lanczos.cell.interval) == (False, (0.3, 0.5))
    write_card(folder, replace(card, config={}))
    assert all(kernel.seen for kernel in kernel_errors(read_card(folder), errors))  # older cards drew all of them


def test_a_gain_is_named_after_its_layer() -> None:
    table = measure_table(
        {"network": {"knn20_conv5_gain": cell(0.1, 0, 0.2), "knn20_counts_gain_pixels": cell(0, 0, 0)}}
    )
    assert table is not None
    assert [row.label for row in table.rows] == ["20-NN of conv5 above random init", "20-NN of counts above raw pixels"]
