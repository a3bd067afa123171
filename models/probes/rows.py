"""The labelled rows of a probe in two parts, training and test, and the classes of each. Free of torch."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from models.galleries.packs import Pack, PackRow
from models.galleries.splits import split_of
from models.probes.average_precision import IGNORED, Present

Target = Literal["label", "labels", "counts"]
TRAINING: Final = ("train", "val", "trainval")
TEST: Final = "test"
HELD_OUT: Final = 4  # without splits one image in four is for testing
DIFFICULT: Final = 255  # a count for classes that are present but not to be judged (VOC)

Rows = NDArray[np.int64]


class Unlabelled(ValueError):
    """The gallery has too few labelled images for a probe; the message gives the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class ProbeRows:
    """Training rows and test rows, ascending, and the classes that they show: (n, C), 1, 0 or IGNORED.

    `several`: whether an image may show several classes, so that mAP is reported instead of top-1 accuracy.
    """

    train: Rows
    test: Rows
    classes: tuple[str, ...]
    train_present: Present
    test_present: Present
    several: bool
    part: str

    @property
    def stamp(self) -> str:
        """Equal for the same images in the same roles."""
        digest = hashlib.sha256("\n".join(self.classes).encode())
        for array in (self.train, self.test, self.train_present, self.test_present):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]


def choose(pack: Pack, *, train: int, test: int, least: int, target: Target | None = None) -> ProbeRows:
    """At most so many rows of each part, evenly spread; at least `least` to learn from. Raises Unlabelled.

    The gallery's own splits where it has both; else one image in four is held out, by a hash of the picture that it
    was cut from, where pictures are known and enough, or of its file.
    """
    known = pack.metadata(range(len(pack)))
    wanted = target or _target(known)
    shown = [_shown(row, wanted) for row in known]
    classes = tuple(sorted({name for one in shown if one for name, value in one.items() if value == 1}))
    labelled = np.array([place for place, one in enumerate(shown) if one is not None], dtype=np.int64)
    if not len(labelled):
        raise Unlabelled("unlabelled", "This gallery has no labels, and a probe needs some to measure with.")
    if len(classes) < 2:
        raise Unlabelled("one_class", "All labelled images show the same class; a probe needs at least two.")
    present = np.array([[(shown[row] or {}).get(name, 0) for name in classes] for row in labelled], dtype=np.int8)
    learns, tests, part = _parts([known[row] for row in labelled], present)
    first, second = (_even(np.flatnonzero(side), most, present) for side, most in ((learns, train), (tests, test)))
    found = ProbeRows(
        train=labelled[first],
        test=labelled[second],
        classes=classes,
        train_present=present[first],
        test_present=present[second],
        several=wanted != "label",
        part=part,
    )
    _check(found, least)
    return found


def _check(found: ProbeRows, least: int) -> None:
    if len(found.train) < least or len(found.test) < 2:
        there = f"here are {len(found.train)} and {len(found.test)}"
        raise Unlabelled("too_few_images", f"A probe needs {least} images to learn from and 2 to test on; {there}.")
    for name, present in (("learn from", found.train_present), ("test", found.test_present)):
        if ((present == 1).any(axis=0)).sum() < 2:
            raise Unlabelled("one_class", f"The images to {name} show fewer than two classes.")


def _target(known: Sequence[PackRow]) -> Target:
    """The target: counts where an image has several kinds of things, lists of words where labels are such lists, else
    labels.

    They are such lists if every word of a label also occurs alone, as in VOC's manifests. The name of a class folder is
    one label however many words it has: sea, lion and sea lion are three classes.
    """
    if any(row.counts and sum(value > 0 for value in row.counts.values()) > 1 for row in known):
        return "counts"
    labels = {row.label for row in known if row.label is not None}
    words = {word for label in labels if " " in label for word in label.split()}
    from_folders = all(row.label in row.path.split("/")[:-1] for row in known if row.label and " " in row.label)
    return "labels" if words and words <= labels and not from_folders else "label"


def _shown(row: PackRow, target: Target) -> dict[str, int] | None:
    """Which classes a row shows (1) or may show (IGNORED); None where that is not known."""
    if target == "counts":
        if row.counts is None:
            return None
        return {name: IGNORED if value == DIFFICULT else 1 for name, value in row.counts.items() if value > 0}
    if row.label is None:
        return None
    return dict.fromkeys(row.label.split() if target == "labels" else [row.label], 1)


def _parts(rows: Sequence[PackRow], present: Present) -> tuple[NDArray[np.bool_], NDArray[np.bool_], str]:
    """The training rows, the test rows, and how they were divided."""
    splits = np.array([split_of(row.split or "") or row.split or "" for row in rows])
    learns, tests = np.isin(splits, TRAINING), splits == TEST
    if not tests.any() and (splits == "val").any():
        learns, tests = splits == "train", splits == "val"
    if learns.any() and tests.any():
        names = sorted({str(name) for name in splits[learns]})
        return learns, tests, f"its own splits: {' and '.join(names)} to learn from, {splits[tests][0]} to test"
    unknown = sorted({str(name) for name in splits} - {"", *TRAINING, TEST})
    ignored = f"; its splits {', '.join(unknown[:5])} are not train, val or test, and were ignored" if unknown else ""
    sources = Counter(row.source for row in rows)
    if None not in sources and len(sources) >= 2 * HELD_OUT:
        learns = np.array([_learns(_digest(row.source or "")) for row in rows])
        if all(((present[side] == 1).any(axis=0)).all() for side in (learns, ~learns)):
            return learns, ~learns, f"one picture in four held out, by a hash of its name{ignored}"
    learns = np.array([_learns(row.sha256) for row in rows])
    return learns, ~learns, f"one image in four held out, by a hash of its file{ignored}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _learns(digest: str) -> bool:
    return int(digest[:8], 16) % HELD_OUT != 0


def _even(places: Rows, at_most: int, present: Present) -> Rows:
    """At most so many, evenly spread over the classes in turn: every n-th row might always show the same one."""
    if len(places) <= at_most:
        return places
    by_class = places[np.argsort(present[places].argmax(axis=1), kind="stable")]
    return np.sort(by_class[np.arange(at_most) * len(places) // at_most])
