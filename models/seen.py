"""Which images a checkpoint was trained on: kept beside its weights, matched by content and appearance. Free of torch.

seen.npz holds, for each training image, the first eight bytes of its file's SHA-256, its perceptual hash and its row.
For a checkpoint without that file it is not known; one whose file lists nothing was trained on no stored image.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.atomic import write_bytes
from models.galleries.packs import Pack
from models.galleries.phash import FEATURELESS, Hashes, near_any, phashes

SEEN: Final = "seen.npz"


@dataclass(frozen=True)
class SeenImages:
    """The images of a training, one an entry: (N,) each."""

    sha256: Hashes
    phash: Hashes
    rows: NDArray[np.int64]


def write_seen(folder: Path, pack: Pack, rows: Sequence[int]) -> None:
    """Keep which rows of the pack a checkpoint is trained on."""
    chosen = np.asarray(rows, dtype=np.int64)
    hashes = pack.phashes()
    looks = phashes(pack.jpeg(int(row)) for row in chosen) if hashes is None else hashes[chosen]
    write_seen_images(
        folder, SeenImages(prefixes(pack.sha256s())[chosen], comparable_hashes(pack, chosen, looks), chosen)
    )


def comparable_hashes(pack: Pack, rows: Sequence[int] | NDArray[np.int64], hashes: Hashes) -> Hashes:
    """The perceptual hashes of rows, none for generated scenes, (N,).

    Two scenes may look alike and be different scenes, and an empty one looks like many a photo of a plain. So a scene
    counts as seen only where the file is the same.
    """
    drawn = np.array([scene is not None for scene in pack.scenes()], dtype=np.bool_)[np.asarray(rows, dtype=np.int64)]
    return np.where(drawn, np.uint64(FEATURELESS), hashes)


def write_seen_images(folder: Path, seen: SeenImages) -> None:
    """Keep a list of images; an empty one says that no stored image was trained on."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, sha256=seen.sha256, phash=seen.phash, rows=seen.rows)
    write_bytes(folder / SEEN, buffer.getvalue())


def nothing_seen() -> SeenImages:
    """The list of a network that was never trained, or only on images that were generated during training."""
    none = np.empty(0, dtype=np.uint64)
    return SeenImages(none, none, np.empty(0, dtype=np.int64))


def read_seen(folder: Path) -> SeenImages | None:
    """The training images of a checkpoint; None where they are not recorded, or the file is damaged."""
    try:
        with np.load(folder / SEEN, allow_pickle=False) as arrays:
            seen = SeenImages(arrays["sha256"], arrays["phash"], arrays["rows"])
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        return None
    return seen if seen.sha256.dtype == seen.phash.dtype == np.uint64 else None


def prefixes(sha256s: Iterable[str]) -> Hashes:
    """The first eight bytes of each hash as a number, (N,)."""
    return np.fromiter((int(value[:16], 16) for value in sha256s), dtype=np.uint64)


def was_seen(seen: SeenImages, sha256s: Iterable[str], hashes: Hashes) -> NDArray[np.bool_]:
    """Which images were trained on: the same file, or one that looks the same, (N,)."""
    return np.isin(prefixes(sha256s), seen.sha256) | near_any(hashes, seen.phash)
