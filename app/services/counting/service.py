"""The service for counting: does a checkpoint count as much in the four tiles of an image as in the whole?"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from app.failures import BadQuery, Conflict
from app.predictor.client import Predictor
from app.predictor.messages import NetworkRef
from app.recent import Recent
from app.services.checkpoints.service import OpenCheckpoint
from app.services.galleries.service import stored
from app.services.networks import checkpoint_network
from app.services.query_images import QueryImage
from models.active_units import active
from models.answers import CountAnswer, CurvePoint
from models.card import Reference, read_reference
from models.counting.additivity import additivity
from models.counting.measures import MARGIN
from models.counting.mismatch import MismatchedImages, PairLoss, Rank, mismatched_images, pair_loss
from models.galleries.packs import Pack
from models.geometry import Box, clip_box, nested_square

Kernel = Literal["area", "linear", "cubic", "lanczos"]
AREAS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))  # 50 % to 95 %, as in the paper's figures 5 and 6
KEPT = 32  # answers, and references, in memory; a browser asks for the pictures of a page right after the page

# Of 3,000 photos the median crop has a contrast of .24, and 0.4 % have less than a third of that. Below a third,
# per-crop normalisation amplifies the crop, with its noise and JPEG errors, three times as much as a usual photo.
EMPTY_CONTRAST = 0.08


@dataclass(frozen=True)
class Counted:
    """The counting equation of one image.

    `active` are the units that count in it, `margin` is M of the training's loss. `strangers` are other held-out
    images, whose distances the residual is compared with, None where the checkpoint kept none.
    """

    answer: CountAnswer
    kernel: Kernel
    active: tuple[int, ...]
    margin: float
    strangers: MismatchedImages | None
    warnings: tuple[str, ...]

    @property
    def residual(self) -> float:
        """|phi(Dx) - s(x)|, where s(x) is the sum over the tiles."""
        return float(np.sqrt(self.answer.squared))

    @property
    def rank(self) -> Rank | None:
        return self.strangers.rank(self.residual) if self.strangers else None

    @property
    def whole_total(self) -> float:
        return float(self.answer.whole.sum())

    @property
    def tiles_total(self) -> float:
        return float(self.answer.tiles.sum())

    @property
    def whole_norm(self) -> float:
        return float(np.linalg.norm(self.answer.whole))

    @property
    def tiles_norm(self) -> float:
        return float(np.linalg.norm(self.answer.total))

    @property
    def additivity(self) -> float | None:
        """|phi(Dx)|_1 / |s(x)|_1: 1 for a network that counts, 1/4 for one that averages its tiles."""
        return additivity(self.whole_total, self.tiles_total)

    def against(self, other: "Counted") -> PairLoss:
        """The loss of this image x with another one y."""
        return pair_loss(self.answer.whole, self.answer.total, other.answer.whole, self.margin)

    def summary(self) -> dict[str, float | int | None]:
        """The most important numbers of the equation, for panels and tables."""
        rank = self.rank
        return {
            "whole": self.whole_total,
            "sum": self.tiles_total,
            "average": self.tiles_total / 4,
            "ratio": self.additivity,
            "residual": self.residual,
            "relative": self.answer.relative,
            "active_units": len(self.active),
            "closer": rank.closer if rank else None,
            "strangers": rank.pairs if rank else None,
            "contrast": self.answer.inputs.contrast,
        }


class CountingService:
    """Asks the predictor to count, always in fp32."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._references = Recent[NetworkRef, Reference | None](KEPT)
        self._answers = Recent[tuple[object, ...], CountAnswer](KEPT)

    def count(
        self, checkpoint: OpenCheckpoint, image: QueryImage, *, kernel: Kernel = "area", box: Box | None = None
    ) -> Counted:
        """Both sides of the equation, for the checkpoint's central crop or for a box.

        Raises Conflict where the checkpoint has no counting head, and BadQuery for a box outside the image.
        """
        network, margin = _network(checkpoint)
        if box is not None:
            box = _on_image(box, image)
        answer = self._answer(network, image, kernel, box)
        reference = self._reference(network)
        return Counted(
            answer=answer,
            kernel=kernel,
            active=active_units(answer),
            margin=margin,
            strangers=mismatched_images(answer.whole, answer.total, reference) if reference is not None else None,
            warnings=_warnings(image, answer),
        )

    def curve(
        self, checkpoint: OpenCheckpoint, image: QueryImage, *, kernel: Kernel = "area", areas: Sequence[float] = AREAS
    ) -> tuple[CurvePoint, ...]:
        """The norm of the count vector of nested, centred crops that cover these shares of the central square."""
        return self._predictor.curve(_network(checkpoint)[0], image.jpeg, areas, kernel=kernel)

    def reference(self, checkpoint: OpenCheckpoint) -> Reference | None:
        """Both sides of the equation for the checkpoint's held-out images; None where its training kept none."""
        return self._reference(_network(checkpoint)[0])

    def _answer(self, network: NetworkRef, image: QueryImage, kernel: Kernel, box: Box | None) -> CountAnswer:
        key = (network, hashlib.sha256(image.jpeg).digest(), kernel, box)
        return self._answers.get(key, lambda: self._ask(network, image, kernel, box))

    def _ask(self, network: NetworkRef, image: QueryImage, kernel: Kernel, box: Box | None) -> CountAnswer:
        answer = self._predictor.count(network, image.jpeg, kernel=kernel, box=box)
        if not (np.isfinite(answer.whole).all() and np.isfinite(answer.tiles).all()):
            raise Conflict("not_finite", "This checkpoint answers NaN or infinity for the image.")
        return answer

    def _reference(self, network: NetworkRef) -> Reference | None:
        return self._references.get(network, lambda: read_reference(Path(network.folder)))


def gallery_image(gallery: str, pack: Pack, row: int) -> QueryImage:
    """An image of a gallery as a query image. Raises NotFound."""
    known, jpeg = stored(gallery, pack, row)
    return QueryImage(jpeg, known.jpeg_width, known.jpeg_height)


def _network(checkpoint: OpenCheckpoint) -> tuple[NetworkRef, float]:
    """The checkpoint's network, and the margin M that it was trained with. Raises Conflict where it cannot count."""
    record, card = checkpoint.record, checkpoint.card
    if not card.has_counts:
        raise Conflict("no_counts", f"The checkpoint {record.slug} has no counting head, so it counts nothing.")
    return checkpoint_network(record), float(card.config.get("margin", MARGIN))


def active_units(answer: CountAnswer) -> tuple[int, ...]:
    """The units, by number, whose count on either side is above a thousandth of this image's largest count."""
    return tuple(np.flatnonzero(active(np.maximum(answer.whole, answer.total))).tolist())


def area_box(image: QueryImage, area: float) -> Box:
    """The centred square that covers this share of the image's central square."""
    return nested_square(image.width, image.height, area)


def _warnings(image: QueryImage, answer: CountAnswer) -> tuple[str, ...]:
    enlarged = ("enlarged",) if answer.enlarged else ()
    empty = ("low_contrast",) if answer.inputs.contrast < EMPTY_CONTRAST else ()
    return (*image.warnings, *enlarged, *empty)


def _on_image(box: Box, image: QueryImage) -> Box:
    try:
        return clip_box(box, image.width, image.height)
    except ValueError as error:
        raise BadQuery("bad_box", f"{error}.") from error
