"""How a unit grew: its best images at each step of the training that was kept, and what neighbours were worth then."""

from dataclasses import dataclass

from app.services.checkpoints.measures import MeasureCell, measure_cell
from app.services.checkpoints.service import CheckpointRecord
from app.services.scans.service import OpenScan
from models.scans import timelines
from models.training import snapshots


@dataclass(frozen=True)
class GrownImage:
    """An image of the gallery and what it made of the unit."""

    row: int
    value: float


@dataclass(frozen=True)
class UnitGrowth:
    """The unit at step `at`, one of `steps`, over a sample of `images`; `knn` is that of its layer at that step."""

    steps: tuple[int, ...]
    at: int
    images: int
    best: tuple[GrownImage, ...]
    knn: MeasureCell | None
    chance: float | None


def unit_growth(scan: OpenScan, layer: str, unit: int, at: int | None) -> UnitGrowth | None:
    """From the checkpoint's timeline on the gallery; None where there is none of these very weights and images.

    Without a step, or with one that was not kept, the last.
    """
    trained = scan.checkpoint
    found = timelines.read(timelines.place(trained.folder, scan.gallery))
    if found is None:
        return None
    same = (found.weights_sha256, found.gallery_fingerprint) == (trained.sha256, scan.pack.fingerprint)
    if not same or layer not in found.rows or unit >= found.rows[layer].shape[1]:
        return None
    place = found.steps.index(at) if at in found.steps else len(found.steps) - 1
    rows, values = found.rows[layer][place, unit], found.values[layer][place, unit]
    cells = found.knn.get(layer)
    return UnitGrowth(
        steps=found.steps,
        at=found.steps[place],
        images=found.images,
        best=tuple(GrownImage(int(row), float(value)) for row, value in zip(rows, values, strict=True) if value > 0),
        knn=None if not cells else measure_cell(cells[place]),
        chance=found.chance,
    )


def can_grow(record: CheckpointRecord) -> bool:
    """Whether the checkpoint kept snapshots, so that a timeline can be made."""
    return bool(snapshots.kept(record.folder))
