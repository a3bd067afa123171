"""The images of a gallery on which a checkpoint is evaluated: none on which it was trained. Free of torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.card import Card
from models.galleries.packs import Pack
from models.galleries.phash import phashes
from models.seen import SeenImages, comparable_hashes, read_seen, was_seen

TEST, TRAIN = "test", "train"
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class EvaluationRows:
    """Rows to evaluate on, in order; how many were left out because they are too small, or were trained on."""

    rows: Rows
    part: str
    too_small: int
    seen: int


@dataclass(frozen=True)
class Neighbourhood:
    """Rows whose labels are known: the database, the queries, and the class of each row as a number."""

    database: Rows
    queries: Rows
    classes: dict[int, int]


def choose(pack: Pack, card: Card, folder: Path, at_most: int) -> EvaluationRows:
    """The test split where there is one, else all rows; of drawn scenes only those that belong to no sweep.

    Images smaller than the crop are left out, and those that were trained on: by content and appearance where the
    checkpoint keeps a list of them, else all rows of its own training gallery. Then an even sample of `at_most` is
    taken.
    """
    tested = pack.select(split=TEST)
    part = "test split" if len(tested) else "all images"
    rows = _mixed(pack, tested if len(tested) else np.arange(len(pack)))
    sides = np.array([min(row.jpeg_width, row.jpeg_height) for row in pack.metadata(rows.tolist())])
    large = rows[sides >= card.preprocess.crop] if len(rows) else rows
    new = unseen(pack, card, folder, large)
    return EvaluationRows(even(new, at_most), part, len(rows) - len(large), len(large) - len(new))


def unseen(pack: Pack, card: Card, folder: Path, rows: Rows) -> Rows:
    """Those of `rows` that the checkpoint was not trained on, as far as it records that."""
    seen = read_seen(folder)
    if seen is not None:
        return rows[~_was_seen(pack, seen, rows)] if len(seen.sha256) and len(rows) else rows
    if card.provenance.get("gallery_fingerprint") == pack.fingerprint and card.provenance.get("steps"):
        kept = set(held_out_rows(pack, card))
        return np.array([row for row in rows.tolist() if row in kept], dtype=np.int64)
    return rows


def held_out_rows(pack: Pack, card: Card) -> list[int]:
    """The rows that a training on this gallery kept for measuring, evenly spread over those that are large enough.

    For checkpoints that do not list their training images; the rule is that of `models.training.batches.split_rows`.
    """
    metadata = pack.metadata(range(len(pack)))
    large = [row for row, item in enumerate(metadata) if min(item.jpeg_width, item.jpeg_height) >= card.preprocess.crop]
    count = min(int(card.config.get("held_out", 512)), len(large) // 10)
    return [large[i * len(large) // count] for i in range(count)]


def neighbourhood(pack: Pack, card: Card, folder: Path, *, database: int, queries: int) -> Neighbourhood | None:
    """Labelled rows: the training split as database and the test split as queries, else every other row for each.

    No query was trained on. None where fewer than two classes have labels, or too few rows do.
    """
    classes = {int(row): code for code, label in enumerate(pack.labels()) for row in pack.select(label=label)}
    labelled = np.array(sorted(classes), dtype=np.int64)
    if len(set(classes.values())) < 2:
        return None
    train, test = (np.intersect1d(labelled, pack.select(split=split)) for split in (TRAIN, TEST))
    if not len(train) or not len(test):
        train, test = labelled[::2], labelled[1::2]
    asked = even(unseen(pack, card, folder, test), queries)
    kept = even(train, database)
    if len(asked) < 2 or len(kept) < 2:
        return None
    return Neighbourhood(kept, asked, classes)


def even(rows: Rows, at_most: int) -> Rows:
    """At most so many of the rows, evenly spread over them."""
    if len(rows) <= at_most:
        return rows
    return rows[np.arange(at_most) * len(rows) // at_most]


def _mixed(pack: Pack, rows: Rows) -> Rows:
    """The rows without the scenes of sweeps, in which only one factor varies."""
    scenes = pack.scenes()
    return np.array([row for row in rows.tolist() if not (scenes[row] or {}).get("sweep")], dtype=np.int64)


def _was_seen(pack: Pack, seen: SeenImages, rows: Sequence[int] | Rows) -> NDArray[np.bool_]:
    listed = [int(row) for row in rows]
    sha256s, hashes = pack.sha256s(), pack.phashes()
    looks = phashes(pack.jpeg(row) for row in listed) if hashes is None else hashes[listed]
    return was_seen(seen, [sha256s[row] for row in listed], comparable_hashes(pack, listed, looks))
