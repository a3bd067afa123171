"""Threads beside a computation take one core each and leave the others their teams."""

import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from models.scans.background_writer import BackgroundWriter
from models.training.batches import Batches, ResidentRegions
from models.workers import workers

TEAM = 3


@pytest.fixture
def team() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(TEAM)
    yield
    torch.set_num_threads(before)


def test_a_worker_computes_alone_and_nobody_else_does(team: None) -> None:  # noqa: ARG001
    seen: list[int] = []
    with workers(2, "alone") as pool:
        assert [pool.submit(torch.get_num_threads).result() for _ in range(4)] == [1] * 4
        other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        other.start()
        other.join()
    assert seen == [TEAM]
    assert torch.get_num_threads() == TEAM


def test_what_is_prepared_behind_a_training_or_a_scan_is_prepared_alone(team: None) -> None:  # noqa: ARG001
    """Otherwise a second team of threads takes the cores of the network's own layers."""
    seen: dict[str, int] = {}

    class Watched(ResidentRegions):
        def crops(self, indices: Tensor, tops: Tensor, lefts: Tensor, size: int) -> Tensor:
            seen[threading.current_thread().name] = torch.get_num_threads()
            return super().crops(indices, tops, lefts, size)

    regions = Watched(torch.zeros(4, 3, 16, 16, dtype=torch.uint8), torch.full((4,), 16))
    batches = Batches(regions, crop=8, batch_size=2, seed=0)
    batches.batch(0)
    batches.batch(1)
    with BackgroundWriter() as background:
        background.run(lambda: seen.update(background=torch.get_num_threads()))
    assert seen.pop(threading.current_thread().name) == TEAM
    assert len(seen) == 2 and set(seen.values()) == {1}
