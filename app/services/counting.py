"""The counting bench: does a checkpoint count as much in four tiles as in the whole image?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from app.failures import BadQuery, Conflict
from app.predictor.client import Predictor
from app.predictor.messages import NetworkRef
from app.services.checkpoints import CheckpointsService
from app.services.galleries import GalleriesService
from app.services.uploads import QueryImage
from models.answers import CountAnswer, CurvePoint, Floats
from models.card import read_reference
from models.geometry import Box, clip_box, nested_square
from models.mismatch import Rank, mismatched_distances, rank

Kernel = Literal["area", "linear", "cubic", "lanczos"]
AREAS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))  # 50 % to 95 %, as in the paper's figures 5 and 6
ACTIVE_SHARE = 1e-3  # of the largest count of this image


@dataclass(frozen=True)
class Counted:
    """One image's counting equation, beside the reference pairs of its checkpoint.

    `mismatched` are the distances of the reference pairs, ascending; it and `rank` are None without a reference.
    """

    answer: CountAnswer
    kernel: Kernel
    active: tuple[int, ...]
    mismatched: Floats | None
    rank: Rank | None
    warnings: tuple[str, ...]

    @property
    def residual(self) -> float:
        """|phi(Dx) - s(x)|, what the mismatched distances are compared with."""
        return float(np.sqrt(self.answer.squared))

    @property
    def whole_total(self) -> float:
        return float(self.answer.whole.sum())

    @property
    def tiles_total(self) -> float:
        return float(self.answer.tiles.sum())

    @property
    def additivity(self) -> float | None:
        """|phi(Dx)|_1 over |s(x)|_1: 1 for a network that counts, 1/4 for one that averages its tiles."""
        return self.whole_total / self.tiles_total if self.tiles_total > 0 else None


class CountingService:
    """Counts through the predictor, always in fp32."""

    def __init__(self, checkpoints: CheckpointsService, galleries: GalleriesService, predictor: Predictor) -> None:
        self._checkpoints = checkpoints
        self._galleries = galleries
        self._predictor = predictor
        self._mismatched = lru_cache(maxsize=32)(_read_mismatched)

    def gallery_image(self, gallery: str, row: int) -> QueryImage:
        """An image of a gallery as one to ask about. Raises NotFound."""
        known = self._galleries.image(gallery, row)
        return QueryImage(self._galleries.jpeg(gallery, row), known.jpeg_width, known.jpeg_height)

    def count(self, checkpoint: str, image: QueryImage, *, kernel: Kernel = "area", box: Box | None = None) -> Counted:
        """Both sides of the equation for the checkpoint's crop, or for a box. Raises Conflict where it cannot count."""
        network = self._network(checkpoint)
        if box is not None:
            box = _on_image(box, image)
        answer = self._predictor.count(network, image.jpeg, kernel=kernel, box=box)
        if not (np.isfinite(answer.whole).all() and np.isfinite(answer.tiles).all()):
            raise Conflict("not_finite", "This checkpoint answers NaN or infinity for the image.")
        mismatched = self._mismatched(Path(network.folder), network.sha256)
        return Counted(
            answer=answer,
            kernel=kernel,
            active=active_units(answer),
            mismatched=mismatched,
            rank=rank(float(np.sqrt(answer.squared)), mismatched) if mismatched is not None else None,
            warnings=(*image.warnings, "enlarged") if answer.enlarged else image.warnings,
        )

    def curve(
        self, checkpoint: str, image: QueryImage, *, kernel: Kernel = "area", areas: Sequence[float] = AREAS
    ) -> tuple[CurvePoint, ...]:
        """How much nested crops about the centre count."""
        return self._predictor.curve(self._network(checkpoint), image.jpeg, areas, kernel=kernel)

    def _network(self, checkpoint: str) -> NetworkRef:
        record = self._checkpoints.get(checkpoint)
        if not self._checkpoints.read_card(record).has_counts:
            raise Conflict("no_counts", f"The checkpoint {checkpoint} has no counting head, so it counts nothing.")
        return NetworkRef(str(record.folder), record.sha256)


def active_units(answer: CountAnswer) -> tuple[int, ...]:
    """The units that this image makes count, on either side: above a thousandth of its largest count, by number."""
    counts = np.maximum(answer.whole, answer.total)
    largest = counts.max(initial=0)
    return tuple(np.flatnonzero(counts > ACTIVE_SHARE * largest).tolist()) if largest > 0 else ()


def area_box(image: QueryImage, area: float) -> Box:
    """The centred square that covers this share of the image's central square."""
    return nested_square(image.width, image.height, area)


def _on_image(box: Box, image: QueryImage) -> Box:
    try:
        return clip_box(box, image.width, image.height)
    except ValueError as error:
        raise BadQuery("bad_box", f"{error}.") from error


def _read_mismatched(folder: Path, _sha256: str) -> Floats | None:
    reference = read_reference(folder)
    return mismatched_distances(reference) if reference is not None else None
