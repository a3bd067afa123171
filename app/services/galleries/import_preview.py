"""The preview of an import: how many images there are, how large they are, how long it takes, what cannot be read.

Listing and sampling are limited in time, so that a folder of millions of files answers as soon as a small one. The
preview says where it did not see everything.
"""

import base64
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.services.jobs.submissions.import_images import FolderFrom, GallerySource, ManifestFrom, checked
from app.settings import Settings
from models.galleries.budget import DecodeBudget
from models.galleries.folders import FolderSource
from models.galleries.images import StoredImage
from models.galleries.intake import stored
from models.galleries.manifest_tables import BadManifest
from models.galleries.manifests import ManifestColumns, ManifestSource, columns_of
from models.galleries.sources import ImageSource, Item, Skipped

LAYOUT: Final = 0.4  # seconds for learning from the names of folders what classes there are
LISTING: Final = 1.2  # seconds for listing
SAMPLING: Final = 0.7  # seconds for reading a sample
SAMPLE: Final = 48  # files that are read, spread over the listing
PICTURES: Final = 8
NAMED: Final = 8  # unreadable files that are named
EXAMPLES: Final = 3  # of files left out for one reason
ROW_BYTES: Final = 600  # of metadata a row, next to its two pictures


@dataclass(frozen=True)
class Unread:
    """A file of the sample that an import would skip, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class LeftOut:
    """How many files or folders an import leaves out for one reason, with some of their paths."""

    reason: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Preview:
    """What an import would add, as far as two seconds are enough to find out.

    `images` is the number of listed files, `whole` says whether these are all. `labels` and `splits` count the listed
    images by label and by split, the most frequent first. `columns` are those of a manifest, and `repeated` is how many
    of its rows name a file that an earlier row names. `left_out` is what would get no row. `sampled` of the images were
    read as an import reads them, and `unread_count` of those could not be read; `unread` names some. `rate` is in
    images a second, measured on the sample, None where no image could be read. `disk` is the need of all `images` in
    bytes, None like `rate`; `free` is the free space. `pictures` are thumbnails as `data:` addresses.
    """

    images: int
    whole: bool
    folders: int
    labels: Mapping[str, int]
    splits: Mapping[str, int]
    columns: ManifestColumns | None
    repeated: int
    left_out: tuple[LeftOut, ...]
    source_bytes: int
    sampled: int
    unread: tuple[Unread, ...]
    unread_count: int
    rate: float | None
    disk: int | None
    free: int
    pictures: tuple[str, ...]

    @property
    def seconds(self) -> float | None:
        """How long the import would take at the measured rate."""
        return self.images / self.rate if self.rate else None

    @property
    def fits(self) -> bool:
        """Whether there is enough free space on the disk."""
        return self.disk is None or self.disk < self.free


def preview(settings: Settings, source: GallerySource, budget: DecodeBudget) -> Preview | None:
    """The preview of a folder or a manifest; None for sources without a path on the server.

    Raises Forbidden outside the roots, BadQuery where it cannot be imported.
    """
    allowed = checked(settings, source)
    match allowed:
        case FolderFrom():
            opened: ImageSource = FolderSource(Path(allowed.path), allowed.labels, patience=LAYOUT)
            columns = None
        case ManifestFrom():
            opened = ManifestSource(Path(allowed.path), settings.roots)
            columns = columns_of(Path(allowed.path))
        case _:
            return None
    listing = _listed(opened)
    return _sampled(opened, listing, columns, shutil.disk_usage(settings.workspace).free, budget)


@dataclass(frozen=True)
class _Listing:
    items: tuple[Item, ...]
    left_out: tuple[Skipped, ...]
    whole: bool


def _listed(source: ImageSource) -> _Listing:
    """The files that could be listed in the time allowed."""
    items, left_out = list[Item](), list[Skipped]()
    until = time.monotonic() + LISTING
    try:
        for found in source.items():
            if isinstance(found, Skipped):
                left_out.append(found)
            else:
                items.append(found)
            if time.monotonic() > until:
                return _Listing(tuple(items), tuple(left_out), False)
    except BadManifest:  # the import reports it, with the line
        return _Listing(tuple(items), tuple(left_out), False)
    return _Listing(tuple(items), tuple(left_out), True)


def _sampled(
    source: ImageSource, listing: _Listing, columns: ManifestColumns | None, free: int, budget: DecodeBudget
) -> Preview:
    """Read some of the files, spread over the listing, as an import would."""
    chosen = _spread(listing.items)
    began = time.monotonic()
    read, unread = list[StoredImage](), list[Unread]()
    for item, found in _until(source, chosen, began + SAMPLING, budget):
        if isinstance(found, Skipped):
            unread.append(Unread(item.path, found.reason))
        else:
            read.append(found)
    seconds, sampled = time.monotonic() - began, len(read) + len(unread)
    one = sum(len(image.jpeg) + len(image.thumb) + ROW_BYTES for image in read) / len(read) if read else None
    return Preview(
        images=len(listing.items),
        whole=listing.whole,
        folders=len({item.file.rpartition("/")[0] for item in listing.items}),
        labels=_counted(item.label for item in listing.items),
        splits=_counted(item.split for item in listing.items),
        columns=columns,
        repeated=0 if columns is None else len(listing.items) - len({item.file for item in listing.items}),
        left_out=_reasons(listing.left_out),
        source_bytes=sum(item.size or 0 for item in listing.items),
        sampled=sampled,
        unread=tuple(unread[:NAMED]),
        unread_count=len(unread),
        rate=sampled / seconds if read and seconds > 0 else None,
        disk=None if one is None else round(one * len(listing.items) * len(read) / sampled),
        free=free,
        pictures=tuple(_address(image.thumb) for image in read[:: max(1, len(read) // PICTURES)][:PICTURES]),
    )


def _counted(values: Iterable[str | None]) -> dict[str, int]:
    return dict(Counter(value for value in values if value is not None).most_common())


def _reasons(left_out: Iterable[Skipped]) -> tuple[LeftOut, ...]:
    paths: dict[str, list[str]] = {}
    for skipped in left_out:
        paths.setdefault(skipped.reason, []).append(skipped.path)
    return tuple(LeftOut(reason, len(found), tuple(found[:EXAMPLES])) for reason, found in paths.items())


def _until(
    source: ImageSource, items: Sequence[Item], end: float, budget: DecodeBudget
) -> Iterator[tuple[Item, StoredImage | Skipped]]:
    with closing(stored(source, items, budget=budget)) as images:
        for pair in images:
            yield pair
            if time.monotonic() > end:
                return


def _spread(items: Sequence[Item]) -> list[Item]:
    """A sample of the files, evenly spread over the listing; the first few of the sample are evenly spread too."""
    count = min(SAMPLE, len(items))
    places = [index * len(items) // count for index in range(count)]
    return [items[place] for stride in range(7) for place in places[stride::7]]


def _address(webp: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"
