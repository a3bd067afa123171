"""A look at what an import would bring, before it is one: how many images, how large, how long, what cannot be read.

Listing and sampling are bounded in time, so that a folder of millions answers as soon as a small one; what was not
looked at is said.
"""

import base64
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.services.jobs.submissions.import_images import FolderFrom, GallerySource, ManifestFrom, checked
from app.settings import Settings
from models.galleries.images import StoredImage
from models.galleries.intake import stored
from models.galleries.manifests import BadManifest, ManifestSource
from models.galleries.sources import FolderSource, ImageSource, Item, Skipped

LISTING: Final = 1.2  # seconds
SAMPLING: Final = 0.7
SAMPLE: Final = 48  # files that are read, spread over the listing
PICTURES: Final = 8
NAMED: Final = 8  # unreadable files that are named
ROW_BYTES: Final = 600  # of metadata a row, next to its two pictures


@dataclass(frozen=True)
class Unread:
    """A file of the sample that would take no row, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Preview:
    """What an import would bring, as far as it can be told in two seconds.

    `images` are the files listed; `whole` tells whether that was all of them. `sampled` of them were read as an import
    reads them, `unread` could not be. `rate` is images a second, measured on the sample; without one there is no image
    to measure with. `disk` and `seconds` are for all `images`.
    """

    images: int
    whole: bool
    folders: int
    left_out: int
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
        """Whether what it needs is free."""
        return self.disk is None or self.disk < self.free


def preview(settings: Settings, source: GallerySource) -> Preview | None:
    """A look at a folder or a manifest; None for sources without a place on the server.

    Raises Forbidden outside the roots, BadQuery where it cannot be imported.
    """
    allowed = checked(settings, source)
    match allowed:
        case FolderFrom():
            opened: ImageSource = FolderSource(Path(allowed.path), "none")
        case ManifestFrom():
            opened = ManifestSource(Path(allowed.path), settings.roots)
        case _:
            return None
    listing = _listed(opened)
    return _sampled(opened, listing, shutil.disk_usage(settings.workspace).free)


@dataclass(frozen=True)
class _Listing:
    items: tuple[Item, ...]
    left_out: tuple[Skipped, ...]
    whole: bool


def _listed(source: ImageSource) -> _Listing:
    """The files, until time is up."""
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
    except BadManifest:  # the import says so, with the line
        return _Listing(tuple(items), tuple(left_out), False)
    return _Listing(tuple(items), tuple(left_out), True)


def _sampled(source: ImageSource, listing: _Listing, free: int) -> Preview:
    """Read some of the files, spread over the listing, as an import would."""
    chosen = _spread(listing.items)
    began = time.monotonic()
    read, unread = list[StoredImage](), list[Unread]()
    for item, found in _until(source, chosen, began + SAMPLING):
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
        left_out=len(listing.left_out),
        source_bytes=sum(item.size or 0 for item in listing.items),
        sampled=sampled,
        unread=tuple(unread[:NAMED]),
        unread_count=len(unread),
        rate=sampled / seconds if read and seconds > 0 else None,
        disk=None if one is None else round(one * len(listing.items) * len(read) / sampled),
        free=free,
        pictures=tuple(_address(image.thumb) for image in read[:: max(1, len(read) // PICTURES)][:PICTURES]),
    )


def _until(source: ImageSource, items: Sequence[Item], end: float) -> Iterator[tuple[Item, StoredImage | Skipped]]:
    with closing(stored(source, items)) as images:
        for pair in images:
            yield pair
            if time.monotonic() > end:
                return


def _spread(items: Sequence[Item]) -> list[Item]:
    """Files at even distances, in an order that is spread too however few of them there is time for."""
    count = min(SAMPLE, len(items))
    places = [index * len(items) // count for index in range(count)]
    return [items[place] for stride in range(7) for place in places[stride::7]]


def _address(webp: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"
