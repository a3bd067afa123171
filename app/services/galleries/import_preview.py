"""The preview of an import: how many images there are, how large they are, how long it takes, what cannot be read.

Listing and sampling are limited in time, so that a folder of millions of files answers as soon as a small one. The
preview says where it did not see everything.
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

LISTING: Final = 1.2  # seconds for listing
SAMPLING: Final = 0.7  # seconds for reading a sample
SAMPLE: Final = 48  # files that are read, spread over the listing
PICTURES: Final = 8
NAMED: Final = 8  # unreadable files that are named
ROW_BYTES: Final = 600  # of metadata a row, next to its two pictures


@dataclass(frozen=True)
class Unread:
    """A file of the sample that an import would skip, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Preview:
    """What an import would add, as far as two seconds are enough to find out.

    `images` is the number of listed files, `whole` says whether these are all; `left_out` files are none that could be
    imported. `sampled` of the images were read as an import reads them, and `unread_count` of those could not be read;
    `unread` names some. `rate` is in images a second, measured on the sample, None where no image could be read. `disk`
    is the need of all `images` in bytes, None like `rate`; `free` is the free space. `pictures` are thumbnails as
    `data:` addresses.
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
        """Whether there is enough free space on the disk."""
        return self.disk is None or self.disk < self.free


def preview(settings: Settings, source: GallerySource) -> Preview | None:
    """The preview of a folder or a manifest; None for sources without a path on the server.

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
    """A sample of the files, evenly spread over the listing; the first few of the sample are evenly spread too."""
    count = min(SAMPLE, len(items))
    places = [index * len(items) // count for index in range(count)]
    return [items[place] for stride in range(7) for place in places[stride::7]]


def _address(webp: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"
