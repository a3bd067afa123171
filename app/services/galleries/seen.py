"""Finds the images of a gallery that a checkpoint was trained on, also as copies that look the same."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.recent import Recent
from app.services.checkpoints.service import CheckpointRecord
from app.services.galleries.control_spaces import ControlSpacesService
from app.services.preparing import Arrays, Preparing
from models.galleries.packs import Pack
from models.galleries.phash import NEAR, Hashes, phashes
from models.random_init import NAME as UNTRAINED
from models.seen import SEEN, SeenImages, comparable_hashes, nothing_seen, read_seen, was_seen

Which = Literal["unseen", "all"]
VERSION = 2  # number of the rule by which images are matched, so that results of older rules are not used
KEPT = 16  # checkpoints whose training images stay in memory


@dataclass(frozen=True)
class Seen:
    """One flag for each row of a gallery, which says whether a network was trained on it.

    `rows` is None where the checkpoint did not record its training images, and while they are matched (`preparing`).
    """

    rows: NDArray[np.bool_] | None = None
    preparing: bool = False

    @property
    def count(self) -> int:
        """The number of rows that were seen; 0 where that is not known."""
        return 0 if self.rows is None else int(self.rows.sum())

    @property
    def share(self) -> float | None:
        """The share of rows that were seen; None where that is not known."""
        return None if self.rows is None or not len(self.rows) else self.count / len(self.rows)

    @property
    def splits(self) -> bool:
        """Whether some rows were seen and some were not."""
        return self.rows is not None and 0 < self.count < len(self.rows)

    def __contains__(self, row: object) -> bool:
        """Whether a row is known to have been seen."""
        return self.rows is not None and isinstance(row, int) and 0 <= row < len(self.rows) and bool(self.rows[row])

    def first(self, rows: int) -> "Seen":
        """The flags of the first `rows` rows alone, such as those that a scan covers."""
        return Seen(None if self.rows is None else self.rows[:rows], self.preparing)

    def unseen(self, which: Which = "unseen") -> NDArray[np.bool_] | None:
        """Flags of the rows to show; None means every row.

        These are the rows not seen in training, unless `which` is "all" or there are no such rows.
        """
        return ~self.rows if self.rows is not None and which == "unseen" and self.splits else None


class SeenService:
    """Matches the training images that checkpoints recorded with galleries and single images."""

    def __init__(self, control_spaces: ControlSpacesService, preparing: Preparing) -> None:
        self._control_spaces = control_spaces
        self._preparing = preparing
        self._known = Recent[tuple[Path, int | None], SeenImages | None](KEPT)

    def find(self, checkpoint: CheckpointRecord, pack: Pack) -> Seen:
        """Which rows of a gallery's pack were seen."""
        seen = self._images(checkpoint)
        if seen is None:
            return Seen()
        if not len(seen.sha256):
            return Seen(np.zeros(len(pack), dtype=np.bool_))
        hashes = self._control_spaces.hashes(pack)
        if hashes is None:
            return Seen(preparing=True)
        inputs = (VERSION, NEAR, checkpoint.sha256, _stamp(checkpoint.folder), pack.fingerprint)
        found = self._preparing.get("seen", inputs, lambda: _match(seen, pack, hashes))
        return Seen(preparing=True) if found is None else Seen(found["seen"])

    def image(self, checkpoint: CheckpointRecord, jpeg: bytes, *, sha256: str = "0") -> bool | None:
        """Whether a stored image was seen in training; None where the checkpoint did not record its training images.

        `sha256` is the hash of the file that the image was made from, where it is known.
        """
        seen = self._images(checkpoint)
        return None if seen is None else bool(was_seen(seen, [sha256], phashes([jpeg]))[0])

    def _images(self, record: CheckpointRecord) -> SeenImages | None:
        if record.slug == UNTRAINED:
            return nothing_seen()
        return self._known.get((record.folder, _stamp(record.folder)), lambda: read_seen(record.folder))


def _match(seen: SeenImages, pack: Pack, hashes: Hashes) -> Arrays:
    return {"seen": was_seen(seen, pack.sha256s(), comparable_hashes(pack, np.arange(len(pack)), hashes))}


def _stamp(folder: Path) -> int | None:
    """The time of the last change of the file of training images; None where there is no such file."""
    try:
        return (folder / SEEN).stat().st_mtime_ns
    except OSError:
        return None
