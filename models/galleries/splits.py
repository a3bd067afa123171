"""The words by which people name the parts of a data set."""

from collections.abc import Iterable, Mapping
from typing import Final

WORDS: Final = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
_SPLITS: Final = {word: split for split, words in WORDS.items() for word in words}


def split_of(word: str) -> str | None:
    """The split that a word names in whatever case: "train", "val" or "test"; None for other words."""
    return _SPLITS.get(word.strip().lower())


def split_folders(names: Iterable[str]) -> Mapping[str, str]:
    """Which of the folders beside each other are splits.

    They are if all of them name splits, or if they name two different ones beside folders of something else. A single
    one among others, such as `train` beside `bus` and `car`, is the name of a class.
    """
    known = {name: split_of(name) for name in names}
    found = {name: split for name, split in known.items() if split is not None}
    return found if found and (len(found) == len(known) or len(set(found.values())) > 1) else {}
