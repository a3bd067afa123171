"""Puzzles on a chosen image: what a task shows the network, the right answer, and a checkpoint's answer."""

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from app.failures import BadQuery, Conflict, NotFound
from app.predictor.client import Predictor
from app.predictor.messages import NetworkRef
from app.recent import Recent
from app.services.checkpoints.service import CheckpointRecord, CheckpointsService
from app.services.galleries.service import GalleriesService
from app.services.networks import checkpoint_network
from app.services.query_images import UploadsService
from models.puzzles import Pose, Posed, PuzzlePicture
from models.recipes import RECIPES

PARTNERS = 3  # further images that the predictor gets, because some puzzles take pieces of other images
KEPT = 64  # puzzles kept in memory, because a browser asks for the pictures of a page right after the page
GAP = 4  # pixels between the pictures of a sheet
GLANCED = 8  # where nobody chose a photo, the most colourful of so many is taken


@dataclass(frozen=True)
class PuzzleRequest:
    """The image that a puzzle is made of: a `row` of a `gallery`, or an `upload`.

    `seed` draws the views, and picks one puzzle where there are several. `checkpoint` is the one that shall answer;
    None asks for the puzzle alone.
    """

    gallery: str | None = None
    row: int | None = None
    upload: str | None = None
    seed: int = 0
    checkpoint: str | None = None


class PuzzlesService:
    """Makes puzzles through the predictor; the same request gives the same puzzle."""

    def __init__(
        self,
        checkpoints: CheckpointsService,
        galleries: GalleriesService,
        uploads: UploadsService,
        predictor: Predictor,
    ) -> None:
        self._checkpoints = checkpoints
        self._galleries = galleries
        self._uploads = uploads
        self._predictor = predictor
        self._posed = Recent[tuple[str, PuzzleRequest, NetworkRef | None], Posed](KEPT)

    @property
    def ready(self) -> bool:
        """Whether the predictor is running; it takes a few seconds to start."""
        return self._predictor.ready

    def solvers(self, task: str) -> list[CheckpointRecord]:
        """The checkpoints that were trained on a task, newest first."""
        return self._checkpoints.of_task(task)

    def photo(self, gallery: str, seed: int) -> int | None:
        """The most colourful of eight random rows, because gray walls make poor puzzles. Raises NotFound.

        None where the gallery is empty.
        """
        pack = self._galleries.pack(gallery)
        rows = random.Random(seed).sample(range(len(pack)), min(GLANCED, len(pack)))
        return max(rows, key=lambda row: colourfulness(pack.thumb(row)), default=None)

    def pose(self, task: str, asked: PuzzleRequest) -> Posed:
        """The puzzle and, where a checkpoint is named, the checkpoint's answer.

        Raises NotFound for an unknown task, image or checkpoint, Conflict for a checkpoint of another task, BadQuery
        where no image is named or the task needs labels and the image has none, Busy while the predictor starts.
        """
        if task not in RECIPES:
            raise NotFound("unknown_task", f"There is no task {task[:40]!r}; there are {', '.join(RECIPES)}.")
        network = None if asked.checkpoint is None else self._network(task, asked.checkpoint)
        return self._posed.get(
            (task, asked, network),
            lambda: self._predictor.pose(task, network, self._images(asked), self._how(task, asked)),
        )

    def _network(self, task: str, checkpoint: str) -> NetworkRef:
        record = self._checkpoints.get(checkpoint)
        if record.task != task:
            raise Conflict("other_task", f"{record.name} was trained on {record.task or 'no task'}, not on {task}.")
        return checkpoint_network(record)

    def _images(self, asked: PuzzleRequest) -> tuple[bytes, ...]:
        """The asked image, followed by other images of its gallery."""
        if asked.upload is not None:
            mine = self._uploads.open(asked.upload).jpeg
            gallery = asked.gallery or next((item.slug for item in self._galleries.list(limit=1).galleries), None)
        elif asked.gallery is not None and asked.row is not None:
            mine, gallery = self._galleries.jpeg(asked.gallery, asked.row), asked.gallery
        else:
            raise BadQuery("one_image", "Give `gallery` with `row`, or `upload`.")
        rows = 0 if gallery is None else self._galleries.get(gallery).rows
        others = [row for row in range(rows) if row != asked.row or asked.upload is not None]
        chosen = random.Random(asked.seed).sample(others, min(PARTNERS, len(others)))
        partners = [self._galleries.jpeg(gallery, row) for row in chosen] if gallery is not None else []
        return (mine, *(partners or [mine]))

    def _how(self, task: str, asked: PuzzleRequest) -> Pose:
        if RECIPES[task]["paper"].labels != "gallery" or asked.gallery is None:
            return Pose(asked.seed, asked.seed)
        names = tuple(self._galleries.facets(asked.gallery).labels)
        label = None if asked.row is None else self._galleries.image(asked.gallery, asked.row).label
        return Pose(asked.seed, asked.seed, label, names)


def colourfulness(picture: bytes) -> float:
    """How colourful an encoded picture is: 0 for gray.

    The root of the sum of two variances: of red minus green and of yellow minus blue, in values from 0 to 255. After
    Hasler, Suesstrunk, "Measuring colourfulness in natural images", 2003, without their term of the means.
    """
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), dtype=np.float32)
    red, green, blue = np.moveaxis(pixels, -1, 0)
    return float(np.hypot((red - green).std(), ((red + green) / 2 - blue).std()))


def sheet(pictures: Sequence[PuzzlePicture], columns: int) -> bytes:
    """The pictures in rows of `columns` on one sheet, as PNG."""
    height, width = (max(item.pixels.shape[side] for item in pictures) for side in (0, 1))
    rows = -(-len(pictures) // columns)
    shape = (rows * (height + GAP) - GAP, min(columns, len(pictures)) * (width + GAP) - GAP, 4)
    canvas = np.zeros(shape, dtype=np.uint8)
    for place, item in enumerate(pictures):
        top, left = (place // columns) * (height + GAP), (place % columns) * (width + GAP)
        tall, wide = item.pixels.shape[:2]
        canvas[top : top + tall, left : left + wide, :3] = item.pixels
        canvas[top : top + tall, left : left + wide, 3] = 255
    return png(canvas)


def png(pixels: np.typing.NDArray[np.uint8]) -> bytes:
    """Pixels of shape (H, W, 3 or 4) as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()
