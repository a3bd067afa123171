"""How a network responds to one image: the units that stand out on it, and the first filters by their response."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.failures import NotFound
from app.predictor.client import Predictor
from app.services.checkpoints.service import OpenCheckpoint
from app.services.networks import checkpoint_network, scanned_network
from app.services.scans.service import OpenScan, guarded
from app.services.units.images import TopImage
from app.services.units.service import UnitsService, UnitSummary
from models.answers import Floats
from models.card import last_conv
from models.scans.files import ScanReader

UNITS, CROPS = 3, 6
LOOKED_AT = 24  # top images that are read; of these, at most one from each source picture is shown


@dataclass(frozen=True)
class StandOut:
    """A unit, its best images, and how far above its usual response an image drives it, in standard deviations.

    `chosen` says whether the unit was chosen because it stands out, or at random beside those that do.
    """

    unit: UnitSummary
    score: float
    chosen: Literal["activity", "random"]

    @property
    def top(self) -> tuple[TopImage, ...]:
        """The best images that fire the unit, at most one from each source picture."""
        kept: dict[str | int, TopImage] = {}
        for image in self.unit.top:
            if image.value > 0:
                kept.setdefault(image.known.source if image.known.source is not None else image.row, image)
        return tuple(kept.values())[:CROPS]


class ResponsesService:
    """Compares a network's response to one image with its usual responses."""

    def __init__(self, units: UnitsService, predictor: Predictor) -> None:
        self._units = units
        self._predictor = predictor

    def standing_out(
        self, scan: OpenScan, jpeg: bytes, *, row: int | None = None, seed: int = 0
    ) -> tuple[str, tuple[StandOut, ...]]:
        """The name of the last convolution, the three of its units that stand out most, and three random others.

        Where `row` is given the scan knows the response, so that no network is asked. Raises NotFound, Conflict, Busy.
        """
        reader = scan.reader
        layer = _shown_layer(reader)
        dead = np.asarray(guarded(reader.units, layer).dead)
        vector = guarded(reader.embedding, layer, row) if row is not None else self._vector(scan, layer, jpeg)
        scores = _scores(guarded(_usual, reader, layer), vector)
        alive = np.flatnonzero(~dead)
        best = alive[np.argsort(-scores[alive], kind="stable")][:UNITS].tolist()
        drawn = np.random.default_rng(seed).permutation(np.setdiff1d(alive, best))[:UNITS].tolist()
        found = self._units.some(scan, layer, [*best, *drawn], best=LOOKED_AT)
        return layer, tuple(
            StandOut(unit, float(scores[unit.unit]), "activity" if place < len(best) else "random")
            for place, unit in enumerate(found)
        )

    def filters(self, checkpoint: OpenCheckpoint, jpeg: bytes) -> tuple[int, ...]:
        """The first-layer filters, largest mean response to the image first. Raises Conflict, Busy."""
        layer = checkpoint.card.first_layer.name
        answer = self._predictor.embed(checkpoint_network(checkpoint.record), jpeg, layer)
        return tuple(np.argsort(-answer.vector, kind="stable").tolist())

    def _vector(self, scan: OpenScan, layer: str, jpeg: bytes) -> Floats:
        return self._predictor.embed(scanned_network(scan.checkpoint, scan.info, layer), jpeg, layer).vector


def _shown_layer(reader: ScanReader) -> str:
    """The layer whose units are shown. Raises NotFound where the scan holds no convolution."""
    layer = last_conv(reader.info.layers)
    if layer is None:
        raise NotFound("unknown_layer", "This scan holds no convolution.")
    return layer.name


def _usual(reader: ScanReader, layer: str) -> Floats:
    """The responses to the images of the scan's first shard, which are enough to say what is usual."""
    return np.asarray(next(reader.embedding_parts(layer)), dtype=np.float32)


def _scores(usual: Floats, vector: Floats) -> Floats:
    spread = usual.std(axis=0)
    return np.where(spread > 0, (vector - usual.mean(axis=0)) / np.where(spread > 0, spread, 1), 0)
