"""Checkpoints that are always there: the bundled ones, and the one that nobody trained."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.services.checkpoints.bundled import bundled_folders, ensure_random_init, register_bundled, twin
from app.services.checkpoints.service import CheckpointsService
from app.store.engine import Store
from models.card import WEIGHTS, read_card, verify_weights

MOST_BYTES = {"counting-photos": 16_000_000, "counting-countables": 8_000_000}  # of the weights


@pytest.fixture
def checkpoints(tmp_path: Path) -> Iterator[CheckpointsService]:
    store = Store.open(tmp_path / "workspace")
    yield CheckpointsService(store)
    store.close()


def test_every_bundled_checkpoint_is_whole_and_small_enough() -> None:
    folders = bundled_folders()
    assert "counting-photos" in [folder.name for folder in folders]
    for folder in folders:
        verify_weights(folder, read_card(folder))
        assert (folder / WEIGHTS).stat().st_size <= MOST_BYTES[folder.name]


def test_all_of_them_are_registered_once(checkpoints: CheckpointsService) -> None:
    first, again = register_bundled(checkpoints), register_bundled(checkpoints)
    assert [record.slug for record in first] == [folder.name for folder in bundled_folders()]
    assert first == again and len(checkpoints.list().checkpoints) == len(first)


def test_random_init_is_made_from_its_seed_where_it_is_missing(checkpoints: CheckpointsService) -> None:
    made = ensure_random_init(checkpoints)
    assert (made.slug, made.task, made.job_id) == ("random-init", "counting", None)
    assert ensure_random_init(checkpoints) == made
    checkpoint = checkpoints.open("random-init")
    card = checkpoint.card
    config, _ = twin()
    assert card.has_counts and card.provenance["images_trained"] == 0
    assert (card.preprocess.crop, card.encoder["stride"]) == (config.crop, config.stride)
    verify_weights(made.folder, card)
    assert checkpoints.first_layer(checkpoint).trained.smoothness.smoother is False


def test_what_one_may_be_compared_with_begins_with_random_init(checkpoints: CheckpointsService) -> None:
    ensure_random_init(checkpoints)
    register_bundled(checkpoints)
    assert checkpoints.others("counting-photos")[0] == ("random-init", "random-init")
    assert "random-init" not in dict(checkpoints.others("random-init"))
