"""How a unit developed during training: its best images and the accuracy of its layer at each kept step."""

from dataclasses import dataclass

from app.services.checkpoints.measures import MeasureCell, measure_cell
from app.services.checkpoints.service import CheckpointRecord
from app.services.scans.service import OpenScan
from models.scans import timelines
from models.training import snapshots


@dataclass(frozen=True)
class GrownImage:
    """A row of the gallery and the unit's value in it."""

    row: int
    value: float


@dataclass(frozen=True)
class UnitGrowth:
    """The unit at step `at`, one of the kept `steps`, over a sample of `images` images.

    `knn` is the nearest-neighbour accuracy of its layer at that step, `chance` that of guessing; None without labels.
    """

    steps: tuple[int, ...]
    at: int
    images: int
    best: tuple[GrownImage, ...]
    knn: MeasureCell | None
    chance: float | None


def unit_growth(scan: OpenScan, layer: str, unit: int, at: int | None) -> UnitGrowth | None:
    """The unit at step `at`, from the checkpoint's timeline; None where no timeline has these weights and this gallery.

    Where `at` is None or was not kept, the last step is taken.
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
