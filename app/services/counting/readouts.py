"""Named counts: applies a fitted readout to an image's count vector, so that it says how many of which thing."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.services.checkpoints.measures import MeasureCell, measure_cell
from app.services.checkpoints.service import CheckpointRecord
from app.services.counting.service import Counted
from app.services.counting.truth import CountTruth
from models.counting import readouts
from models.counting.readouts import Readout

PREDICTORS = ("network", "area", "edge_energy", "mean")


@dataclass(frozen=True)
class NamedCount:
    """One kind of thing in the crop: the count that is read out, and the true count.

    `truth` is None where it is not known. `r2` is R² of the network and of its controls for this kind.
    """

    name: str
    read: float
    truth: float | None
    r2: Mapping[str, MeasureCell | None]


@dataclass(frozen=True)
class NamedCounts:
    """All named counts of an image by one readout; `together` is R² over all kinds, by predictor like `r2`."""

    readout: Readout
    rows: tuple[NamedCount, ...]
    together: Mapping[str, MeasureCell | None]

    @property
    def sentence(self) -> str:
        """The counts of at least 0.05, largest first, such as `coin 2.1, ball 0.8`."""
        shown = sorted((row for row in self.rows if row.read >= 0.05), key=lambda row: -row.read)
        return ", ".join(f"{row.name} {row.read:.1f}" for row in shown) or "nothing"


def readout_of(record: CheckpointRecord, gallery: str | None) -> Readout | None:
    """The readout of the checkpoint's current weights on `gallery`, else on any other; None where none was fitted."""
    paths = sorted((record.folder / readouts.FOLDER).glob("*.json"), key=lambda path: path.stem != gallery)
    found = (readouts.read(path) for path in paths)
    return next((item for item in found if item is not None and item.weights_sha256 == record.sha256), None)


def named_counts(readout: Readout, counted: Counted, truth: CountTruth | None) -> NamedCounts:
    """The counts that the readout reads from the crop's count vector, beside the truth where that is known."""
    read = readout.read(counted.answer.whole)
    known = None if truth is None else {line.kind: float(line.whole) for line in truth.kinds}
    return NamedCounts(
        readout=readout,
        rows=tuple(
            NamedCount(name, value, None if known is None else known.get(name, 0.0), _cells(readout, name))
            for name, value in read.items()
        ),
        together=_cells(readout, "all"),
    )


def _cells(readout: Readout, name: str) -> dict[str, MeasureCell | None]:
    return {predictor: measure_cell(readout.r2.get(predictor, {}).get(name)) for predictor in PREDICTORS}
